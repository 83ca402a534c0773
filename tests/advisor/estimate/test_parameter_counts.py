from __future__ import annotations

from advisor.estimate.parameter_counts import text_parameters, unet_parameters, vae_parameters
from advisor.families.sd1 import STANDARD
from advisor.families.sdxl import STANDARD as SDXL_STANDARD


def test_sd15_has_its_published_number_of_weights() -> None:
    assert unet_parameters(STANDARD) == 859_520_964
    assert text_parameters(STANDARD) == 123_060_480
    assert vae_parameters(STANDARD.vae) == 83_653_863


def test_sdxl_has_its_published_number_of_weights() -> None:
    assert unet_parameters(SDXL_STANDARD) == 2_567_463_684
