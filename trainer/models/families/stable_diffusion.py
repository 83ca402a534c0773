"""Stable Diffusion 1.x and 2.x: one U-Net, one CLIP, one VAE, of any size. SD2's CLIP is OpenCLIP's, whose last layer
is never used.
"""

from __future__ import annotations

from advisor.families.stable_diffusion import StableDiffusionStructure
from trainer.models.families.unet_family import TextPart, UNetFamily
from trainer.models.open_clip_keys import BLOCKS
from trainer.models.single_file import SingleFileLayout

UNET, VAE = "model.diffusion_model.", "first_stage_model."
SD1_LAYOUT = SingleFileLayout(
    unet=UNET, vae=VAE, text=(("cond_stage_model.transformer.text_model.", "cond_stage_model.transformer."),)
)
SD2_TEXT = "cond_stage_model.model."
SD2_PAD = "!"
"""Token number 0."""


def _unused(structure: StableDiffusionStructure) -> tuple[str, ...]:
    last = f"{SD2_TEXT}{BLOCKS}{structure.text[0].layers}."
    return last, f"{SD2_TEXT}text_projection", f"{SD2_TEXT}logit_scale"


SD2_LAYOUT = SingleFileLayout(unet=UNET, vae=VAE, text=((SD2_TEXT,),), open_clip=(True,), unused=_unused)


class Sd1(UNetFamily):
    """How SD1.x is loaded and called."""

    def __init__(self) -> None:
        super().__init__("sd1", SD1_LAYOUT)


class Sd2(UNetFamily):
    """How SD2.x is loaded and called."""

    def __init__(self) -> None:
        super().__init__("sd2", SD2_LAYOUT, (TextPart(pad=SD2_PAD),))
