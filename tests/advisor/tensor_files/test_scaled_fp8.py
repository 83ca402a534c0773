from __future__ import annotations

import pytest

from advisor.tensor_files.scaled_fp8 import is_beside_a_weight, scale_of, why_not_plain
from tests.support.headers import Shapes, infos

WEIGHT = infos({"a.weight": (8, 4)}, "F8_E4M3")


@pytest.mark.parametrize("scale", ["a.scale_weight", "a.weight_scale"])
@pytest.mark.parametrize("shape", [(), (1,), (8,), (8, 1)])
def test_a_factor_for_all_or_for_each_row_can_be_brought_back(scale: str, shape: tuple[int, ...]) -> None:
    tensors = WEIGHT | infos({scale: shape}, "F32")

    assert scale_of("a.weight", tensors) == scale
    assert is_beside_a_weight(scale, tensors)
    assert why_not_plain(tensors) is None


def test_weights_without_a_factor_are_as_they_are() -> None:
    assert scale_of("a.weight", WEIGHT) is None
    assert scale_of("a.bias", infos({"a.bias": (8,), "a.weight_scale": ()})) is None
    assert why_not_plain(WEIGHT) is None


def test_a_factor_without_its_weight_is_no_note() -> None:
    assert not is_beside_a_weight("b.weight_scale", WEIGHT)
    assert is_beside_a_weight("model.diffusion_model.scaled_fp8", WEIGHT)


@pytest.mark.parametrize(
    ("more", "dtype", "fault"),
    [
        ({"a.weight_scale": (8, 2)}, "F8_E4M3", "factors for blocks (a.weight_scale holds 16 numbers)"),
        ({"a.weight_scale": ()}, "I8", "packed (a.weight is of the type I8 with a factor)"),
        ({"a.weight_scale": (8,), "a.weight_scale_2": ()}, "U8", "packed (nvfp4)"),
        ({"a.weight.quant_state.bitsandbytes__nf4": (80,)}, "U8", "packed (nf4)"),
    ],
)
def test_other_packings_are_named(more: Shapes, dtype: str, fault: str) -> None:
    found = why_not_plain(infos({"a.weight": (8, 4)}, dtype) | infos(more, "F32"))

    assert found is not None
    assert fault in found
