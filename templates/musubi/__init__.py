"""musubi-tuner, kohya's trainer of flow matching models, in both directions: `export*` write, `import_*` read its TOML.

Its arguments, schedules and optimizers are those of sd-scripts, so that `templates.kohya` is used for them; `words` has
what is its own. Of what it trains only Z-Image is written and read.
"""
