from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.support.runs import make_config
from tests.support.tiny import tiny_sd1
from trainer.data.tensor_cache import TensorCache
from trainer.evaluate.features import FeatureReader
from trainer.evaluate.seen import Seen, Viewer
from trainer.models.families.family import BaseModel

PICTURE = torch.randint(0, 256, (3, 192, 128), generator=torch.Generator().manual_seed(1)).to(torch.uint8)


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return tiny_sd1()


def viewer(base: BaseModel, folder: Path, **values: Any) -> Viewer:
    given: dict[str, Any] = {"model_key": "a", "cache": TensorCache(folder / "cache")}
    return Viewer(base, make_config(folder), **(given | values))


def equal(one: Seen, other: Seen) -> bool:
    return all(torch.equal(tensor, vars(other)[name]) for name, tensor in vars(one).items())


def test_a_picture_is_read_once(base: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = viewer(base, tmp_path).see(PICTURE)
    without_cache = viewer(base, tmp_path, cache=None).see(PICTURE)
    monkeypatch.setattr(FeatureReader, "parts", _never)

    again = viewer(base, tmp_path).see(PICTURE)

    assert equal(first, again)
    assert equal(first, without_cache)
    assert first.features.dtype == torch.float32


def test_another_picture_and_another_model_are_read_anew(
    base: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer(base, tmp_path).see(PICTURE)
    monkeypatch.setattr(FeatureReader, "parts", _never)

    with pytest.raises(AssertionError, match="read again"):
        viewer(base, tmp_path).see(PICTURE.flip(1))
    with pytest.raises(AssertionError, match="read again"):
        viewer(base, tmp_path, model_key="b").see(PICTURE)


def test_pixels_are_kept_as_they_are_up_to_128_a_side_and_reduced_beyond(base: BaseModel, tmp_path: Path) -> None:
    small = viewer(base, tmp_path).see(PICTURE).small
    reduced = viewer(base, tmp_path).see(PICTURE.repeat_interleave(2, 1).repeat_interleave(2, 2)).small

    assert torch.equal(small, PICTURE.float())
    assert torch.equal(reduced, small)


def _never(_: FeatureReader, __: Tensor) -> Tensor:
    raise AssertionError("read again")
