"""Stable Diffusion 2.x: as SD1.x, with OpenCLIP's text encoder, whose last layer is never used."""

from __future__ import annotations

from advisor.families.structure import Structure
from trainer.models.families.unet_family import TextPart, UNetFamily
from trainer.models.open_clip_keys import BLOCKS
from trainer.models.single_file import SingleFileLayout

TEXT = "cond_stage_model.model."
PAD = "!"
"""Token number 0."""


def _unused(structure: Structure) -> tuple[str, ...]:
    last = f"{TEXT}{BLOCKS}{structure.text[0].layers}."
    return last, f"{TEXT}text_projection", f"{TEXT}logit_scale"


LAYOUT = SingleFileLayout(
    unet="model.diffusion_model.", vae="first_stage_model.", text=((TEXT,),), open_clip=(True,), unused=_unused
)


class Sd2(UNetFamily):
    """How SD2.x is loaded and called."""

    def __init__(self) -> None:
        super().__init__("sd2", LAYOUT, (TextPart(pad=PAD),))
