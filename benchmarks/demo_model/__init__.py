"""The maker of the embedded base model: own drawings, VAE, denoiser and text encoder, trained from nothing."""
