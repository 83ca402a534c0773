"""Grids of pictures that were drawn: what was asked for, where they lie, and which a person took."""
