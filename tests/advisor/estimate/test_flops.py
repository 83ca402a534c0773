from __future__ import annotations

import json
from typing import Any

import pytest

from advisor.estimate.flops import step_flops
from advisor.families import family
from tests.support.paths import REPOSITORY
from trainer.simulate.step import Simulation, measured_config

RESULTS = json.loads((REPOSITORY / "benchmarks" / "results" / "step_operations.json").read_text(encoding="utf-8"))


def predicted(case: dict[str, Any]) -> float:
    structure = family(case["family"]).standard
    assert structure is not None
    return step_flops(config_of(case), structure, size=tuple(case["size"]))


def config_of(case: dict[str, Any], **settings: Any) -> Any:
    return measured_config(
        case["family"], batch_size=case["batch"], rank=case["rank"], text=case["text"],
        checkpointing=case["checkpointing"], **settings,
    )  # fmt: skip


def counted(case: dict[str, Any], **settings: Any) -> int:
    structure = family(case["family"]).standard
    assert structure is not None
    return Simulation(config_of(case, **settings), structure, tuple(case["size"])).operations()


@pytest.mark.parametrize("case", RESULTS, ids=lambda case: " ".join(str(value) for value in case.values()))
def test_the_closed_form_is_within_a_hundredth_of_what_was_counted(case: dict[str, Any]) -> None:
    assert predicted(case) == pytest.approx(case["operations"], rel=0.01)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_small_picture_counted_anew_agrees(checkpointing: bool) -> None:
    case = {
        "family": "sd1", "size": (256, 320), "rank": 8, "text": "trained", "batch": 1, "checkpointing": checkpointing,
    }  # fmt: skip

    assert predicted(case) == pytest.approx(counted(case), rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("case", RESULTS, ids=lambda case: " ".join(str(value) for value in case.values()))
def test_all_counted_anew_agree(case: dict[str, Any]) -> None:
    assert counted(case) == case["operations"]


@pytest.mark.slow
def test_adapters_on_convolutions_change_little() -> None:
    case = {
        "family": "sd1", "size": (512, 512), "rank": 32, "text": "cached", "batch": 1, "checkpointing": False,
    }  # fmt: skip
    network = {"kind": "locon", "conv_rank": 16}
    structure = family("sd1").standard
    assert structure is not None

    found = step_flops(config_of(case, network=network), structure, size=(512, 512))
    assert found == pytest.approx(counted(case, network=network), rel=0.05)
