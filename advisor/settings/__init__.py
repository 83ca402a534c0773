"""The settings of a training: their tree, presets, and values given as text."""
