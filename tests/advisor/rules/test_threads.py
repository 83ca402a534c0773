from __future__ import annotations

import pytest

from tests.support.factories import make_gpu, make_plan_config, make_plan_for


@pytest.mark.parametrize(("threads", "value"), [(16, 8), (8, 4), (3, 1), (1, 1)])
def test_half_of_the_processors_threads(threads: int, value: int) -> None:
    assert make_plan_config(cpu_threads=threads).machine.cpu_threads == value


def test_cached_latents_need_no_processes() -> None:
    assert make_plan_config().machine.data_workers == 0
    assert make_plan_config(settings={"memory.cache_latents": False}).machine.data_workers == 2


def test_the_card_with_most_free_memory_is_pinned() -> None:
    cards = (make_gpu(8, uuid="GPU-a"), make_gpu(12, uuid="GPU-b", index=1))
    plan = make_plan_for(gpus=cards)

    assert plan.config.machine.gpu_uuid == "GPU-b"
    assert "2 cards" in plan.by_path["machine.gpu_uuid"].reason


def test_a_card_without_identifier_is_not_pinned() -> None:
    assert make_plan_config(gpus=(make_gpu(8, uuid=""),)).machine.gpu_uuid == ""
