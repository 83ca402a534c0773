"""The diffusion process: noise schedules, objectives, loss weights, sampling."""
