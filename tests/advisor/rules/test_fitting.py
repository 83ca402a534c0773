from __future__ import annotations

from itertools import pairwise

import pytest

from advisor.rules.fitting import choices, fit
from tests.factories import make_facts, make_gpu, make_plan_config


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
@pytest.mark.parametrize("vram_gib", [4, 8, 24])
@pytest.mark.parametrize("has_bitsandbytes", [True, False])
def test_the_row_of_choices_only_goes_down(family: str, vram_gib: float, has_bitsandbytes: bool) -> None:
    facts = make_facts(vram_gib=vram_gib, family=family, has_bitsandbytes=has_bitsandbytes)
    row = list(choices(facts, make_plan_config(vram_gib=vram_gib, family=family)))

    for earlier, later in pairwise(row):
        assert later.resolution_px <= earlier.resolution_px
        same_resolution = later.resolution_px == earlier.resolution_px
        assert (
            later.batch_size <= earlier.batch_size or earlier.checkpointing < later.checkpointing or not same_resolution
        )


def test_what_fits_nowhere_is_the_smallest_and_says_so() -> None:
    facts = make_facts(vram_gib=6, free_gib=0.6)
    fitted = fit(facts, make_plan_config(vram_gib=6, free_gib=0.6))

    assert fitted.fits is False
    assert fitted.choice.base_dtype == "nf4"
    assert fitted.choice.resolution_px == 256


def test_quantised_bases_are_for_nvidia_only() -> None:
    facts = make_facts(gpus=(make_gpu(8, free_gib=1, vendor="amd", compute_capability=None),))
    row = choices(facts, make_plan_config())

    assert {choice.base_dtype for choice in row} == {None}


def test_a_processor_short_of_memory_checkpoints() -> None:
    assert make_plan_config(vram_gib=None, ram_gib=7).memory.gradient_checkpointing is True
