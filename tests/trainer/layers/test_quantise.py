"""Weights in fewer bits and back."""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import NormalDist

import pytest
import torch
from torch import Tensor

from advisor.estimate.quantised_base import NF4_BLOCK
from advisor.settings.config import QUANTISED, QuantisedDtype
from tests.support.paths import REPOSITORY
from trainer.layers import quantise
from trainer.layers.quantise import NF4_LEVELS, quantised
from wizard.processes.child import KEPT_HEAP

SHAPES = ((32, 48), (7, 11), (16, 8, 3, 3), (5, 3, 1, 1))
"""Linear layers and convolutions, also such as fill no whole block of nf4."""


def weight_of(shape: tuple[int, ...]) -> Tensor:
    """Normal values whose rows are of very different sizes."""
    generator = torch.Generator().manual_seed(3)
    rows = torch.randn(shape, generator=generator).flatten(1) * torch.logspace(-4, 1, shape[0])[:, None]
    return rows.view(shape)


def by_blocks(weight: Tensor) -> Tensor:
    flat = weight.flatten()
    return torch.nn.functional.pad(flat, (0, -len(flat) % NF4_BLOCK)).view(-1, NF4_BLOCK)


@pytest.mark.parametrize("shape", SHAPES)
def test_int8_is_off_by_half_a_step_of_its_row_at_most(shape: tuple[int, ...]) -> None:
    weight = weight_of(shape)

    found = quantised(weight, "int8", torch.float32).whole()

    steps = weight.flatten(1).abs().amax(1) / 127
    off = (found - weight).flatten(1).abs().amax(1)
    assert found.shape == weight.shape
    assert bool((off <= 0.5001 * steps).all())


@pytest.mark.parametrize("shape", SHAPES)
def test_nf4_is_off_by_half_its_widest_gap_at_most(shape: tuple[int, ...]) -> None:
    weight = weight_of(shape)

    found = quantised(weight, "nf4", torch.float32).whole()

    most = by_blocks(weight).abs().amax(1)
    off = by_blocks(found - weight).abs().amax(1)
    assert found.shape == weight.shape
    assert bool((off <= (0.5 * 0.3039 + 2**-8) * most).all())


@pytest.mark.parametrize(("kind", "most"), [("int8", 0.012), ("nf4", 0.1)])
def test_normal_weights_are_off_by_a_small_share(kind: QuantisedDtype, most: float) -> None:
    weight = torch.randn(256, 512, generator=torch.Generator().manual_seed(0))

    found = quantised(weight, kind, torch.float32).whole()

    assert most / 2 < float((found - weight).norm() / weight.norm()) < most


@pytest.mark.parametrize("kind", QUANTISED)
def test_what_is_on_a_level_stays_as_it_is(kind: QuantisedDtype) -> None:
    levels = torch.tensor(NF4_LEVELS) if kind == "nf4" else torch.arange(-127, 128) / 128
    weight = levels.repeat(4, 4) * 0.5

    torch.testing.assert_close(quantised(weight, kind, torch.float32).whole(), weight, rtol=1e-6, atol=0)


@pytest.mark.parametrize("kind", QUANTISED)
def test_nothing_but_zeros_stays_zero(kind: QuantisedDtype) -> None:
    assert not bool(quantised(torch.zeros(8, 16), kind, torch.float16).whole().any())


@pytest.mark.parametrize("kind", QUANTISED)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_only_rounds_what_float32_gives(kind: QuantisedDtype, dtype: torch.dtype) -> None:
    weight = weight_of((32, 48))

    exact, found = (quantised(weight, kind, one).whole() for one in (torch.float32, dtype))

    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), exact, rtol=2 * torch.finfo(dtype).eps, atol=1e-6)


@pytest.mark.parametrize(("kind", "bytes_each"), [("int8", 1 + 4 / 512), ("nf4", 0.5 + 2 / 64)])
def test_it_takes_the_bytes_it_is_for(kind: QuantisedDtype, bytes_each: float) -> None:
    tensors = quantised(torch.zeros(256, 512), kind, torch.bfloat16).tensors[:2]

    assert sum(tensor.nbytes for tensor in tensors) == bytes_each * 256 * 512


def test_nf4s_levels_are_those_of_a_normal_distribution() -> None:
    """QLoRA's appendix E: equally likely parts on each side, their outermost at the mean of 1 - 1/30 and 1 - 1/32."""
    outermost = 1 - (1 / 30 + 1 / 32) / 2

    def side(count: int) -> list[float]:
        shares = [outermost + (0.5 - outermost) * number / count for number in range(count)]
        return [NormalDist().inv_cdf(share) for share in shares]

    above, below = side(8), [-value for value in side(7)]
    wanted = sorted([*above, 0.0, *below])
    assert [value / max(wanted) for value in wanted] == pytest.approx(NF4_LEVELS, abs=1e-6)


@pytest.mark.parametrize("kind", QUANTISED)
@pytest.mark.parametrize("shape", [*SHAPES, (40, 96)])
def test_a_weight_packed_in_pieces_has_the_same_bits(
    kind: QuantisedDtype, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    weight = weight_of(shape).bfloat16()
    whole = quantised(weight, kind, torch.bfloat16)
    monkeypatch.setattr(quantise, "AT_ONCE", 2 * NF4_BLOCK)

    pieces = quantised(weight, kind, torch.bfloat16)

    assert all(torch.equal(one, other) for one, other in zip(whole.tensors, pieces.tensors, strict=True))


PACKING = """
from concurrent.futures import ThreadPoolExecutor
import psutil, torch
from trainer.layers.quantise import quantised

def read(shape):
    return torch.randn(shape).bfloat16()

shapes = [(1024, 640), (256, 640), (256, 640), (640, 1024), (2432, 640), (2432, 640), (640, 2432)] * 30
read((4, 4))
before, kept, ahead = psutil.Process().memory_info().rss, [], None
with ThreadPoolExecutor(1) as pool:
    for shape in [*shapes, None]:
        now, ahead = ahead, None if shape is None else pool.submit(read, shape)
        if now is not None:
            kept.append(quantised(now.result(), "int8", torch.bfloat16))
        now = None
packed = sum(one.numel() * one.element_size() for weight in kept for one in weight.tensors)
print((psutil.Process().memory_info().rss - before) / packed)
"""
"""Layers of a language model's proportions, the next of which is read while one is packed, as `fill` reads them."""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="glibc's variables")
def test_packed_layers_leave_no_holes_where_a_process_keeps_what_it_freed() -> None:
    """As a training on the processor has its memory: `wizard/processes/child.py`."""
    environment = {**os.environ, **KEPT_HEAP, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", PACKING], env=environment, capture_output=True, text=True, timeout=120, check=True
    )

    assert float(done.stdout) < 2.5
