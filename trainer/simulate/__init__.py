"""The training step on fake tensors: bytes and operations counted without data."""
