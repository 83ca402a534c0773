"""Our own files: loracle.toml, presets, the JSON Schema."""
