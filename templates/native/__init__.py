"""Our own files: loracle.toml, presets, the report, the JSON Schema."""
