"""A finished training is never called broken: what cannot be written after it is one sentence each."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.run_folder.layout import RunFolder
from advisor.settings.config import blank_config
from wizard.commands import train as command
from wizard.processes import measured_runs
from wizard.processes.trainer_job import TrainerJob
from wizard.show import run_report


@pytest.mark.parametrize("plan", ["[]", "{}", "3", "\x00", None])
def test_a_damaged_or_missing_plan_fails_no_training(
    tmp_path: Path, plan: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    if plan is not None:
        (tmp_path / "plan.json").write_text(plan, encoding="utf-8")

    command._write_records(TrainerJob(RunFolder(tmp_path)), blank_config(), since=0.0)

    said = capsys.readouterr().err.splitlines()
    assert len(said) == (plan not in (None, "{}"))  # of an empty record a page can be made
    assert all(line.startswith("No report was written: ") for line in said)


def test_defects_of_receipt_and_report_are_a_sentence_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise TypeError("no")

    monkeypatch.setattr(measured_runs, "save_run_receipt", broken)
    monkeypatch.setattr(run_report, "try_run_report", broken)

    command._write_records(TrainerJob(RunFolder(tmp_path)), blank_config(), since=0.0)

    assert capsys.readouterr().err.splitlines() == [
        "What this run took is not remembered: TypeError: no",
        "No report was written: TypeError: no",
    ]
