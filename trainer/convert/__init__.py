"""Turning files into others: pickled checkpoints into safetensors, LoRAs into other key names."""
