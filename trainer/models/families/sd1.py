"""Stable Diffusion 1.x: one U-Net, one CLIP, one VAE, of any size."""

from __future__ import annotations

from trainer.models.families.unet_family import UNetFamily
from trainer.models.single_file import SingleFileLayout

LAYOUT = SingleFileLayout(
    unet="model.diffusion_model.",
    vae="first_stage_model.",
    text=(("cond_stage_model.transformer.text_model.", "cond_stage_model.transformer."),),
)


class Sd1(UNetFamily):
    """How SD1.x is loaded and called."""

    def __init__(self) -> None:
        super().__init__("sd1", LAYOUT)
