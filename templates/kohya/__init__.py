"""kohya_ss and sd-scripts, in both directions: GUI JSON, TOML, LoRA metadata, folder layout."""
