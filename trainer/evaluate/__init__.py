"""Judging a LoRA by what it draws: grids of pictures over epochs, weights, prompts and seeds."""
