"""Whole trainings on a base in fewer bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from advisor.estimate.disk import lora_bytes
from advisor.settings.config import QUANTISED, AdapterKind, QuantisedDtype
from tests.support.runs import events_of, make_config, run_training
from tests.support.tiny import TINY_SD1, TINY_SD2, TINY_SDXL

STRUCTURES = {"sd1": TINY_SD1, "sd2": TINY_SD2, "sdxl": TINY_SDXL}
FAMILY_AND_KIND: tuple[tuple[str, AdapterKind, QuantisedDtype], ...] = (
    ("sd1", "lora", "int8"), ("sd1", "locon", "nf4"), ("sd1", "dora", "int8"), ("sd1", "loha", "nf4"),
    ("sd1", "lokr", "int8"), ("sd2", "lora", "nf4"), ("sd2", "dora", "nf4"), ("sd2", "locon", "int8"),
    ("sdxl", "lora", "int8"), ("sdxl", "lora", "nf4"), ("sdxl", "lokr", "nf4"), ("sdxl", "loha", "int8"),
)  # fmt: skip
EXTRAS = {
    "loss__ema": True, "sampling__prompts": ("tok",), "sampling__every_epochs": 1, "sampling__steps": 2,
    "memory__gradient_checkpointing": True,
}  # fmt: skip


def settings(kind: AdapterKind, quantised: QuantisedDtype, **more: Any) -> dict[str, Any]:
    conv = {} if kind == "lora" else {"network__conv_rank": 2}
    return {"network__kind": kind, "memory__base_dtype": quantised, "schedule__max_steps": 3, **conv, **more}


def weights(run: Path) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = load_file(run / "model" / "tok.safetensors")
    return tensors


def losses(run: Path) -> list[float]:
    return [event["loss"] for event in events_of(run, "step")]


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("material")


@pytest.mark.parametrize(("family", "kind", "quantised"), FAMILY_AND_KIND)
def test_every_family_and_kind_trains_saves_and_is_read_back(
    family: str, kind: AdapterKind, quantised: QuantisedDtype, material: Path, tmp_path: Path
) -> None:
    prediction = "v_prediction" if family == "sd2" else "epsilon"
    config = make_config(material, family=family, **settings(kind, quantised, model__prediction=prediction))

    run_training(tmp_path, config)

    (check,) = events_of(tmp_path, "reload_check")
    assert (check["missing"], check["unexpected"], check["zero_change"]) == (0, 0, 0.0)
    assert check["unet_change"] > 0
    assert check["difference"] < check["tolerance"]
    assert {event["code"] for event in events_of(tmp_path, "warning")}.isdisjoint({"reload_check", "base_model"})
    assert (tmp_path / "model" / "tok.safetensors").stat().st_size == lora_bytes(config, STRUCTURES[family])


@pytest.mark.parametrize(("quantised", "most"), [("int8", 0.015), ("nf4", 0.06)])
def test_the_losses_are_close_to_those_of_the_whole_base(
    quantised: QuantisedDtype, most: float, material: Path, tmp_path: Path
) -> None:
    steps: dict[str, Any] = {"schedule__max_steps": 6}
    run_training(tmp_path / "whole", make_config(material, **steps))
    run_training(tmp_path / "packed", make_config(material, memory__base_dtype=quantised, **steps))

    pairs = list(zip(losses(tmp_path / "whole"), losses(tmp_path / "packed"), strict=True))
    assert len(pairs) == 6
    assert all(one != other and abs(one - other) < most * one for one, other in pairs)


@pytest.mark.parametrize("quantised", QUANTISED)
def test_it_goes_on_as_if_it_had_never_stopped(quantised: QuantisedDtype, material: Path, tmp_path: Path) -> None:
    more = EXTRAS | {"schedule__name": "constant"}
    whole = make_config(material, **settings("lora", quantised, **more) | {"schedule__max_steps": 5})
    run_training(tmp_path / "whole", whole)

    run_training(
        tmp_path / "cut", make_config(material, **settings("lora", quantised, **more) | {"schedule__max_steps": 2})
    )
    run_training(tmp_path / "cut", whole, resume=True)

    one, other = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert not [event for event in events_of(tmp_path / "whole", "warning") if event["code"] == "sample_failed"]


@pytest.mark.parametrize("quantised", QUANTISED)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_computes_on_it(dtype: str, quantised: QuantisedDtype, material: Path, tmp_path: Path) -> None:
    run_training(tmp_path, make_config(material, **settings("lora", quantised, memory__compute_dtype=dtype)))

    assert all(0 < loss < 10 for loss in losses(tmp_path))


@pytest.mark.parametrize("quantised", QUANTISED)
def test_a_batch_in_parts_learns_the_same(quantised: QuantisedDtype, material: Path, tmp_path: Path) -> None:
    config = make_config(material, **settings("lora", quantised))
    run_training(tmp_path / "whole", config)
    (tmp_path / "parts" / "state").mkdir(parents=True)
    (tmp_path / "parts" / "state" / "ladder.json").write_text('{"batch_parts": 2}', encoding="utf-8")

    run_training(tmp_path / "parts", config)

    assert losses(tmp_path / "parts") == pytest.approx(losses(tmp_path / "whole"), rel=1e-4)
