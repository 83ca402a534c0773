"""Devices: which to use, what to offload, how full a GPU is."""
