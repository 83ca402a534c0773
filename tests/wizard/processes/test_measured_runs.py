from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advisor.estimate.calibration import Receipt, RunKind
from advisor.machine.probe import probe_hardware
from advisor.run_folder.events import AnyEvent, Failed, Finished, PhaseBegun, Started, StepDone
from advisor.run_folder.layout import RunFolder
from tests.support.runs import make_config, train, write_toml
from wizard.processes.launch import Training
from wizard.processes.measured_runs import (
    MOST_RECEIPTS,
    Receipts,
    RunFigures,
    keep_receipt,
    keep_run_receipt,
    receipt_of,
    session_figures,
)

RECEIPT = Receipt(
    machine="a card", kind="train", family="sd1", checkpointing=False, predicted_bytes=1000, peak_bytes=1100,
    predicted_step_seconds=1.0, step_seconds=1.2, steps=50, unix_seconds=1.0, settings={"rank": 32},
)  # fmt: skip


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    Receipts(tmp_path).keep(RECEIPT)

    assert Receipts(tmp_path).load() == ((RECEIPT,), ())


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff", b"[" * 9999, b'{"machine": "a card"}', b"x" * 100_000],
)
def test_a_damaged_file_is_passed_over_with_a_note(tmp_path: Path, content: bytes) -> None:
    Receipts(tmp_path).keep(RECEIPT)
    (tmp_path / "receipts" / "000.json").write_bytes(content)

    found, notes = Receipts(tmp_path).load()
    assert found == (RECEIPT,)
    assert "1 damaged file" in notes[0]


@pytest.mark.parametrize("change", [{"peak_bytes": "much"}, {"step_seconds": -1}, {"steps": None}, {"version": 99}])
def test_figures_that_cannot_be_are_passed_over(tmp_path: Path, change: dict[str, Any]) -> None:
    Receipts(tmp_path).keep(RECEIPT)
    path = next((tmp_path / "receipts").iterdir())
    path.write_text(json.dumps(json.loads(path.read_text()) | change))

    assert Receipts(tmp_path).load()[0] == ()


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for number in range(MOST_RECEIPTS + 3):
        Receipts(tmp_path).keep(replace(RECEIPT, unix_seconds=float(number)))

    found, _ = Receipts(tmp_path).load()
    assert len(found) == MOST_RECEIPTS
    assert min(one.unix_seconds for one in found) == 3.0


def test_two_runs_that_end_at_once_both_leave_theirs(tmp_path: Path) -> None:
    def keep(steps: int) -> None:
        Receipts(tmp_path).keep(replace(RECEIPT, steps=steps))

    threads = [threading.Thread(target=keep, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(one.steps for one in Receipts(tmp_path).load()[0]) == list(range(8))


def test_only_the_last_start_of_a_run_counts_and_its_first_steps_do_not() -> None:
    def steps(*seconds: float) -> list[StepDone]:
        return [StepDone(step=number, seconds=one) for number, one in enumerate(seconds, start=1)]

    first: list[AnyEvent] = [Started(), *steps(*[99.0] * 9)]
    caching = [PhaseBegun(name="cache_latents", unix_seconds=10.0), PhaseBegun(name="train", unix_seconds=14.5)]
    second: list[AnyEvent] = [Started(), *caching, *steps(8.0, 7.0, 1.0, 1.2, 1.1)]
    took = session_figures([*first, *second, Finished(peak_memory_bytes=77)], "cpu")

    assert took == RunFigures("cpu", steps=3, seconds_per_step=1.1, peak_bytes=77, caching_seconds=4.5)


def test_an_interrupted_run_tells_its_time_and_no_peak() -> None:
    took = session_figures([Started(), *[StepDone(step=1, seconds=2.0)] * 5, Failed()], "cpu")

    assert (took.seconds_per_step, took.peak_bytes) == (2.0, 0)


def test_a_training_leaves_one_of_its_own_start_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))
    run, config = tmp_path / "run", make_config(tmp_path)
    write_toml(run / "loracle.toml", config)
    train(run, config)
    training = Training(RunFolder(run), device="cpu")

    keep_run_receipt(training, config, since=time.time() + 60)
    assert Receipts().load()[0] == ()

    keep_run_receipt(training, config, since=0.0)
    (receipt,), _ = Receipts().load()
    assert (receipt.kind, receipt.family) == ("train", "sd1")
    assert receipt.steps >= 3
    assert receipt.step_seconds > 0
    assert receipt.peak_bytes > receipt.predicted_bytes / 3


@pytest.mark.parametrize("device", ["card", "cpu"])
def test_a_peak_that_samples_made_is_compared_with_drawing_them(tmp_path: Path, device: str) -> None:
    def predicted(name: str, kind: RunKind, prompts: tuple[str, ...] = (), every: int = 1) -> int:
        run = tmp_path / name
        preset = "cpu" if device == "cpu" else "low"
        config = make_config(
            tmp_path, memory__preset=preset, memory__gradient_checkpointing=True, schedule__batch_size=1,
            sampling__prompts=prompts, sampling__every_epochs=every,
        )  # fmt: skip
        write_toml(run / "loracle.toml", config)
        training = Training(RunFolder(run))
        return receipt_of(training, RunFigures(device, peak_bytes=1), kind, probe_hardware(run)).predicted_bytes

    none = predicted("none", "train")
    assert predicted("drawn", "train", ("a",)) > none
    assert predicted("measured", "measure", ("a",)) == none
    assert predicted("never-reached", "train", ("a",), 3) == none


def test_a_folder_that_cannot_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").write_text("a file is in the way")
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))
    run, config = tmp_path / "run", make_config(tmp_path)
    write_toml(run / "loracle.toml", config)

    training = Training(RunFolder(run), device="cpu")
    keep_receipt(training, RunFigures("cpu", steps=5, seconds_per_step=1.0), "train")

    assert "not remembered" in capsys.readouterr().err
