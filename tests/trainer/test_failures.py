from __future__ import annotations

import pytest
import torch

from advisor.room import Room
from trainer import failures
from trainer.failures import ENCODING, LOADING, TRAINING, memory_facts

GIB = 2**30


def test_the_ladder_is_told_where_memory_ran_out_and_what_others_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "room_of", lambda _: Room(1 * GIB, 12 * GIB, own_bytes=7 * GIB))

    facts = memory_facts(torch.device("cpu"), TRAINING, (512, 448), before=Room(10 * GIB, 12 * GIB, own_bytes=0))

    assert (facts["phase"], facts["device"], facts["largest"]) == ("step", "cpu", (512, 448))
    assert (facts["total_bytes"], facts["free_bytes"], facts["others_bytes"]) == (12 * GIB, 1 * GIB, 2 * GIB)


def test_without_a_look_at_the_start_nobody_is_blamed() -> None:
    assert memory_facts(torch.device("cpu"), LOADING, None)["others_bytes"] == 0


@pytest.mark.parametrize(("doing", "phase"), [(TRAINING, "step"), (ENCODING, "caching"), (LOADING, "loading")])
def test_what_is_being_done_has_the_predictions_name(doing: str, phase: str) -> None:
    assert memory_facts(torch.device("cpu"), doing, None)["phase"] == phase
