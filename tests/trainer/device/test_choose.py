"""How many threads compute."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from advisor.settings.config import blank_config, changed
from trainer.device import choose
from trainer.device.choose import SMALL_DENOISER_WEIGHTS, Place, choose_place, use_threads
from trainer.layers.quantised_layers import quantise_layer

CPU = torch.device("cpu")


def of_weights(number: int) -> nn.Module:
    with torch.device("meta"):
        return nn.Linear(number, 1, bias=False)


SMALL, LARGE = of_weights(1000), of_weights(SMALL_DENOISER_WEIGHTS)


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    threads = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("psutil.cpu_count", lambda logical: 4)
    monkeypatch.setattr(choose, "_allowed_cpus", lambda: 3)
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(("asked", "denoiser", "threads"), [(None, LARGE, 3), (None, SMALL, 1), (4, SMALL, 4)])
def test_small_models_get_one_thread_large_ones_all_cores(asked: int | None, denoiser: nn.Module, threads: int) -> None:
    use_threads(asked, CPU, denoiser)

    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(("sharing", "threads"), [(1, 3), (2, 1), (3, 1), (9, 1)])
def test_those_that_share_the_cores_get_their_part_of_them(sharing: int, threads: int) -> None:
    use_threads(None, CPU, LARGE, processes=sharing)

    assert torch.get_num_threads() == threads


def test_a_large_model_in_fewer_bits_gets_all_cores_too() -> None:
    packed = nn.Sequential(of_weights(SMALL_DENOISER_WEIGHTS))
    quantise_layer(packed, "0", torch.empty(1, SMALL_DENOISER_WEIGHTS, device="meta"), "int8", torch.float32)

    use_threads(None, CPU, packed)

    assert torch.get_num_threads() == 3


def test_a_plan_for_the_processor_is_computed_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "has_bfloat16", lambda: True)
    planned = changed(blank_config(), "memory.preset", "cpu")

    assert choose_place(planned, "cpu", None) == choose_place(planned, None, None) == Place(CPU, planned)
    assert choose_place(changed(planned, "memory.preset", "high"), "cpu", None).dtype == torch.bfloat16


def test_what_the_environment_says_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")

    use_threads(None, CPU, SMALL)

    assert torch.get_num_threads() == 2
