from __future__ import annotations

import time
from pathlib import Path

import pytest

from advisor.estimate.calibration import RunKind
from advisor.machine.probe import probe_hardware
from advisor.run_folder.events import AnyEvent, Failed, Finished, PhaseBegun, Started, StepDone
from advisor.run_folder.layout import RunFolder
from tests.support.runs import make_config, run_training, write_toml
from wizard.processes.measured_runs import RunFigures, receipt_of, save_receipt, save_run_receipt, session_figures
from wizard.processes.receipt_store import ReceiptStore
from wizard.processes.trainer_job import TrainerJob


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
    run_training(run, config)
    job = TrainerJob(RunFolder(run), device="cpu")

    save_run_receipt(job, config, since=time.time() + 60)
    assert ReceiptStore().load()[0] == ()

    save_run_receipt(job, config, since=0.0)
    (receipt,), _ = ReceiptStore().load()
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
        job = TrainerJob(RunFolder(run))
        return receipt_of(job, RunFigures(device, peak_bytes=1), kind, probe_hardware(run)).predicted_bytes

    none = predicted("none", "train")
    assert predicted("drawn", "train", ("a",)) > none
    assert predicted("measured", "measure", ("a",)) == none
    assert predicted("the-base-alone", "train", ("a",), 3) > none
    assert predicted("never", "train", ("a",), 0) == none


def test_a_folder_that_cannot_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").write_text("a file is in the way")
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))
    run, config = tmp_path / "run", make_config(tmp_path)
    write_toml(run / "loracle.toml", config)

    job = TrainerJob(RunFolder(run), device="cpu")
    save_receipt(job, RunFigures("cpu", steps=5, seconds_per_step=1.0), "train")

    assert "not remembered" in capsys.readouterr().err
