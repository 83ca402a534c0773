"""The page of a run: for any training, and with the demo's figures where they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from advisor.errors import RunError
from advisor.planning.planner import make_plan
from advisor.run_folder.events import LoraSaved
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.write_over import UsersFiles
from templates.native.run_folder import write_run
from tests.support.factories import make_facts
from wizard.commands.report import report
from wizard.show.run_report import try_run_report, write_run_report

SCORES = {
    "identity_before": 0.125, "identity_after": 0.875, "identity_real": 0.96, "obedience_before": 1.0,
    "obedience_after": 0.75,
}  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder, facts = tmp_path / "lauf ü", make_facts()
    write_run(folder, facts, make_plan(facts))
    return folder


def test_any_run_has_a_page(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report([str(run)], as_json=True)

    page = Path(json.loads(capsys.readouterr().out)["report"])
    assert page == run / "report.html"
    assert "network.rank" in page.read_text("utf-8")
    assert "Obedience" not in page.read_text("utf-8")


def test_the_demos_figures_are_on_its_page_again(run: Path) -> None:
    RunFolder(run).demo_scores.parent.mkdir(parents=True, exist_ok=True)
    RunFolder(run).demo_scores.write_text(json.dumps(SCORES), "utf-8")

    page = write_run_report(RunFolder(run)).read_text("utf-8")

    assert all(figure in page for figure in ("Identity", "0.12", "0.88", "Obedience", "0.75"))


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"plan\.json"):
        report([str(tmp_path)])


def test_a_page_that_cannot_be_written_spoils_no_training(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "report.html").mkdir()

    try_run_report(RunFolder(run))

    assert "No report was written" in capsys.readouterr().err


@pytest.mark.parametrize("damaged", ["{", "[]", "{}"])
def test_damaged_scores_spoil_no_training(run: Path, capsys: pytest.CaptureFixture[str], damaged: str) -> None:
    RunFolder(run).demo_scores.parent.mkdir(parents=True, exist_ok=True)
    RunFolder(run).demo_scores.write_text(damaged, "utf-8")

    try_run_report(RunFolder(run))

    assert "delete it" in capsys.readouterr().err


def test_a_page_may_lie_elsewhere_and_one_of_the_users_there_stays(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "pages" / "one.html"
    report([str(run)], out=page, as_json=True)

    assert json.loads(capsys.readouterr().out) == {"report": str(page)}
    assert not (run / "report.html").exists()
    page.write_text("my own")
    with pytest.raises(UsersFiles, match=r"--out"):
        report([str(run)], out=page)
    assert page.read_text() == "my own"


def test_several_runs_have_a_page_in_the_first_ones_folder(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = make_facts()
    write_run(tmp_path / "other", facts, make_plan(facts))

    report([str(run), str(tmp_path / "other")], as_json=True)

    assert json.loads(capsys.readouterr().out) == {"report": str(run / "comparison.html")}
    assert "same in all settings" in (run / "comparison.html").read_text("utf-8")


def test_a_run_without_a_choice_says_which_command_makes_one(run: Path) -> None:
    assert "loracle grid" not in write_run_report(RunFolder(run)).read_text("utf-8"), "nothing was trained yet"

    (run / "log").mkdir(exist_ok=True)
    with RunFolder(run).event_writer() as events:
        events.write(LoraSaved(path="model/mira.safetensors", step=1, epoch=1))

    assert "loracle grid" in write_run_report(RunFolder(run)).read_text("utf-8")
