"""Numbers of weights that follow from measures alone, against published ones and against the networks themselves."""

from __future__ import annotations

from advisor.families.sd1 import STANDARD
from advisor.families.sdxl import STANDARD as SDXL_STANDARD


def test_sd15_has_its_published_number_of_weights() -> None:
    assert STANDARD.denoiser_parameters == 859_520_964
    assert STANDARD.text_parameters == 123_060_480
    assert STANDARD.vae.parameters == 83_653_863


def test_sdxl_has_its_published_number_of_weights() -> None:
    assert SDXL_STANDARD.denoiser_parameters == 2_567_463_684
