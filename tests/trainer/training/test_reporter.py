from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from advisor.errors import ModelError, OutOfMemory
from advisor.machine.memory_snapshot import Room
from tests.support.runs import make_config
from trainer.runtime.events import Events
from trainer.runtime.interrupts import Interrupt, Interrupted
from trainer.training.failures import ENCODING, LOADING, TRAINING, Spilled
from trainer.training.reporter import Reporter


@pytest.fixture
def reporter(material: Path, tmp_path: Path) -> Iterator[Reporter]:
    with Events(tmp_path) as events:
        cpu, before = torch.device("cpu"), Room(5, 10, 1)
        yield Reporter(tmp_path, make_config(material), cpu, events, Interrupt(), before, largest=(128, 192))


@pytest.mark.parametrize(
    ("activity", "phase"),
    [(LOADING, "loading"), ("reading the masks", "loading"), (ENCODING, "caching"), (TRAINING, "step")],
)
def test_a_lack_of_memory_names_its_activity_and_the_ladders_phase(
    reporter: Reporter, activity: str, phase: str
) -> None:
    def fill() -> None:
        with reporter.during(activity):
            raise MemoryError

    with pytest.raises(OutOfMemory, match=f"^While {activity}, the machine has no memory left") as failed:
        fill()

    assert failed.value.facts is not None
    assert (failed.value.facts.phase, failed.value.facts.largest) == (phase, (128, 192))


def test_of_activities_within_each_other_the_inner_one_counts(reporter: Reporter) -> None:
    def fill() -> None:
        with reporter.during(LOADING), reporter.during(ENCODING):
            raise MemoryError

    with pytest.raises(OutOfMemory, match=f"^While {ENCODING}"):
        fill()


def test_after_the_inner_activity_the_outer_one_counts_again(reporter: Reporter) -> None:
    def fill() -> None:
        with reporter.during(LOADING):
            with reporter.during(ENCODING):
                pass
            raise MemoryError

    with pytest.raises(OutOfMemory, match=f"^While {LOADING}"):
        fill()


def test_a_spill_is_a_lack_of_memory_too(reporter: Reporter) -> None:
    with pytest.raises(OutOfMemory, match="9 times as long") as failed, reporter.during(TRAINING):
        raise Spilled(9.0)

    assert failed.value.facts is not None
    assert failed.value.facts.spill == 9.0


@pytest.mark.parametrize("error", [ModelError("no"), RuntimeError("shapes differ"), Interrupted()])
def test_other_errors_pass_as_they_are(reporter: Reporter, error: Exception) -> None:
    with pytest.raises(type(error)) as passed, reporter.during(TRAINING):
        raise error

    assert passed.value is error


def test_progress_breaks_off_once_a_stop_is_requested(reporter: Reporter) -> None:
    progress = reporter.progress("load")
    progress(1, 2)
    reporter.interrupt.ask()

    with pytest.raises(Interrupted):
        progress(2, 2)
