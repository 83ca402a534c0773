"""LoRAs on disk: names, metadata, writing, and the check that a saved file loads and works."""
