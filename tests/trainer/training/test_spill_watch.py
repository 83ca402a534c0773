from __future__ import annotations

from pathlib import Path

import pytest
import torch

from advisor.errors import OutOfMemory
from advisor.machine.driver_spill import TimedStep
from advisor.machine.memory_snapshot import Room
from tests.support.runs import events_of, make_config, run_training
from tests.support.tiny import TINY_SD1
from tests.trainer.data.test_training_set import make_config as make_dataset_config
from tests.trainer.data.test_training_set import make_report
from trainer.data.training_set import SampleRef, TrainingSet
from trainer.training import spill_watch
from trainer.training import train as training
from trainer.training.spill_watch import SpillWatch, timed, watch_for

FULL, HALF = Room(0, 100, 99), Room(50, 100, 50)


def watched(watch: SpillWatch, *seconds: float) -> list[float | None]:
    return [watch.after(TimedStep(each, 1000, 1000)) for each in seconds]


def test_slow_steps_on_a_full_card_are_told() -> None:
    found = watched(SpillWatch(lambda: FULL), *[1.0] * 20, *[40.0] * 6)

    assert found[:-1] == [None] * 25
    assert found[-1] == 40.0


def test_slow_steps_on_a_card_with_room_are_something_else() -> None:
    assert set(watched(SpillWatch(lambda: HALF), *[1.0] * 20, *[40.0] * 20)) == {None}


def test_there_is_nothing_to_watch_where_no_driver_spills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, structure = make_config(tmp_path), TINY_SD1
    monkeypatch.setattr(spill_watch, "spills_here", lambda: True)
    assert watch_for(tmp_path, config, structure, torch.device("cpu")) is None
    assert watch_for(tmp_path, config, structure, torch.device("cuda")) is not None
    monkeypatch.setattr(spill_watch, "spills_here", lambda: False)
    assert watch_for(tmp_path, config, structure, torch.device("cuda")) is None


class Alarm(SpillWatch):
    """Tells a spill after two steps."""

    def after(self, step: TimedStep) -> float | None:
        super().after(step)
        return 12.0 if len(self._steps) == 2 else None


def test_a_spill_ends_training_like_a_lack_of_memory_with_its_last_step_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(tmp_path)

    def alarm(*_: object, only_warns: bool) -> SpillWatch:
        return Alarm(lambda: FULL, only_warns=only_warns)

    monkeypatch.setattr(training, "watch_for", alarm)

    with pytest.raises(OutOfMemory, match=r"12 times as long.*Close other programs") as stopped:
        run_training(tmp_path / "run", config)

    assert stopped.value.facts.spill == 12.0
    assert [path.name for path in (tmp_path / "run" / "state").iterdir()] == ["step-00000002"]

    run_training(tmp_path / "run", config, resume=True, tolerate_sysmem_fallback=True)

    assert events_of(tmp_path / "run", "finished")[0]["steps"] == 8
    assert [event["code"] for event in events_of(tmp_path / "run", "warning")] == ["memory_spills"]


def test_a_step_is_timed_with_the_pixels_of_its_pictures() -> None:
    pictures = TrainingSet.of(make_report(4), make_dataset_config())
    batches = ((SampleRef(0, 0), SampleRef(0, 1)), (SampleRef(1, 0),))

    assert [item.bucket for item in pictures.items[:2]] == [(512, 512), (576, 384)]
    assert timed(1.5, batches, pictures) == TimedStep(1.5, 2 * 512 * 512 + 576 * 384, 512 * 512)
