"""Curves and images for TensorBoard and Weights & Biases."""
