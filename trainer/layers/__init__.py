"""Layers that several adapters and models share: frozen and quantised weights."""
