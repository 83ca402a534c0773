from __future__ import annotations

import pytest

from advisor.settings.config import changed
from tests.support.factories import make_plan_config, make_plan_for


@pytest.mark.parametrize(("vram_gib", "slices"), [(6, 6), (10, 2), (12, 1)])
def test_pictures_are_drawn_in_as_few_slices_as_fit(vram_gib: int, slices: int) -> None:
    plan = make_plan_for(family="sdxl", vram_gib=vram_gib)

    assert plan.config.memory.decode_slices == slices
    assert plan.config.sampling.draws
    assert plan.estimate.phase_bytes["sampling"] <= 0.95 * (vram_gib - 0.5) * 2**30
    assert ("would need" in plan.by_path["memory.decode_slices"].reason) == (slices > 1)


def test_a_small_card_trains_large_pictures_that_it_could_not_encode_whole() -> None:
    plan = make_plan_for(family="sdxl", vram_gib=4)

    assert (plan.config.dataset.resolution_px, plan.config.memory.encode_slices) == (1024, 2)
    assert plan.by_path["memory.encode_slices"].reason.startswith(
        "encoding whole pictures would need 3.8 GiB of the 3.5"
    )
    assert "slices do not fit either" in plan.by_path["memory.decode_slices"].reason


@pytest.mark.parametrize(("family", "vram_gib"), [("sd1", 8), ("sdxl", 16), ("anima", 16), ("sd1", None)])
def test_what_fits_whole_stays_whole(family: str, vram_gib: int | None) -> None:
    memory = make_plan_config(family=family, vram_gib=vram_gib).memory

    assert (memory.encode_slices, memory.decode_slices) == (1, 1)


def test_encoding_never_needs_more_than_is_free_where_steps_fit() -> None:
    for vram_gib in (4, 5, 6, 8):
        plan = make_plan_for(family="anima", vram_gib=vram_gib)

        assert plan.estimate.vram_bytes <= (vram_gib - 0.5) * 2**30
        assert plan.estimate.phase_bytes["caching"] <= (vram_gib - 0.5) * 2**30


def test_slices_that_the_user_chose_stay() -> None:
    chosen = make_plan_config(family="sdxl", vram_gib=12, settings={"memory.decode_slices": 3})

    assert chosen.memory.decode_slices == 3
    assert changed(chosen, "memory.decode_slices", 1) == make_plan_config(family="sdxl", vram_gib=12)
