from __future__ import annotations

from pathlib import Path

from advisor.choosing.cells import Choice
from advisor.run_folder.events import EpochDone, Finished, LoraSaved, PhaseBegun, Started, StepDone
from advisor.run_folder.grids.grid_record import GridRecord, write_grid
from advisor.run_folder.layout import RunFolder
from tests.support.fake_trainer import run_folder
from wizard.processes.run_status import read_status, runs_below, statuses
from wizard.show.grid_view import choice_document
from wizard.show.run_view import RunStatus, UnreadableRun, status_document


def begun(folder: Path) -> RunFolder:
    run = RunFolder(run_folder(folder))
    with run.event_writer() as events:
        for event in (
            Started(), PhaseBegun(name="train", total=9, epochs=3), StepDone(step=3, epoch=1, loss=0.5, seconds=1.0),
            EpochDone(epoch=1), LoraSaved(path="model/tok-000001.safetensors", step=3, epoch=1),
            StepDone(step=4, epoch=2, seconds=1.0),
        ):  # fmt: skip
            events.write(event)
    return run


def test_a_run_is_as_far_as_its_events(tmp_path: Path) -> None:
    found = read_status(begun(tmp_path))

    assert (found.name, found.state.activity, found.can_resume) == ("tok", "died", False)
    assert (found.progress.step, found.progress.steps, found.progress.epoch, found.progress.epochs) == (4, 9, 2, 3)
    assert found.progress.loras == ("model/tok-000001.safetensors",)


def test_what_older_trainers_did_not_tell_is_the_configuration_s(tmp_path: Path) -> None:
    run = RunFolder(run_folder(tmp_path))
    with run.event_writer() as events:
        events.write(PhaseBegun(name="train", total=9))

    assert read_status(run).progress.epochs == 2


def test_a_resumed_run_goes_on_from_where_it_was(tmp_path: Path) -> None:
    run = begun(tmp_path)
    with run.event_writer() as events:
        events.write(Started(resumed_from=3))
        events.write(Finished(steps=9, epochs=3))

    found = read_status(run)
    assert (found.state.activity, found.progress.step, len(found.progress.loras)) == ("finished", 3, 1)


def test_the_epoch_that_its_pictures_say_to_use_is_told(tmp_path: Path) -> None:
    run = begun(tmp_path)
    choice = Choice("good", 2, 1.0, (2,), 1, None, 0.9, "Epoch 2 of 3: 0.80 like your pictures.")
    write_grid(run.grid.record, GridRecord(choice=choice))

    found = read_status(run)

    assert found.choice == choice
    assert status_document(found)["choice"] == choice_document(choice)


def test_a_grid_that_cannot_be_read_is_no_choice(tmp_path: Path) -> None:
    run = begun(tmp_path)
    run.grid.record.parent.mkdir()
    run.grid.record.write_text("{")

    assert read_status(run).choice is None


def test_folders_that_are_no_runs_are_passed_over_and_damaged_ones_named(tmp_path: Path) -> None:
    begun(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "loracle.toml").write_text("x = [")

    found = list(statuses([*runs_below(tmp_path), tmp_path / "gone", tmp_path / ("b" * 300)]))

    assert [type(one) for one in found] == [UnreadableRun, RunStatus]
    assert [one.run.path.name for one in found] == ["broken", "run"]


def test_a_run_is_found_from_within(tmp_path: Path) -> None:
    run = begun(tmp_path)

    assert [one.run.path for one in statuses(runs_below(run.path))] == [run.path]
