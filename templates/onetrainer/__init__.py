"""OneTrainer, in both directions: `export*` write, `import_*` read its JSON, `words` serves both."""
