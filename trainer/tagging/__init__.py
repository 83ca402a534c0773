"""Tagging pictures with a model in the ONNX format, and fetching such models from the hub."""
