"""What a run's own configuration brings into a plan made of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.planning.planner import make_plan
from advisor.settings.config import NamedFolder
from templates.native.run_folder import write_run
from tests.support.factories import make_facts
from wizard.interview.planned_run import choices_of, request_of
from wizard.interview.request import PlanRequest


@pytest.fixture
def run(tmp_path: Path) -> Path:
    facts = make_facts()
    write_run(tmp_path / "run", facts, make_plan(facts))
    return tmp_path / "run"


def edit(run: Path, group: str, line: str, name: str = "loracle.toml") -> None:
    """Put a line into a table of the configuration, in the place of what is there of that setting."""
    setting = line.partition(" = ")[0]
    lines = (run / "loracle.toml").read_text("utf-8").splitlines()
    kept = [one for one in lines if not one.startswith(f"{setting} = ")]
    kept.insert(kept.index(f"[{group}]") + 1, line)
    (run / name).write_text("\n".join(kept) + "\n", "utf-8")


def test_nothing_is_chosen_in_a_run_that_nobody_edited(run: Path) -> None:
    assert choices_of(run) == {}


def test_folders_and_files_that_were_named_by_hand_are_chosen_and_stay_where_they_are(run: Path) -> None:
    edit(run, "dataset", 'folders = [{path = "sub", repeats = 3}]')
    edit(run, "dataset", 'regularization_images = "../class pictures"')
    edit(run, "network", 'start_from = "/loras/anna.safetensors"')

    assert choices_of(run) == {
        "dataset.folders": (NamedFolder(path="sub", repeats=3),),
        "dataset.regularization_images": str(run / "../class pictures"),
        "network.start_from": "/loras/anna.safetensors",
    }


def test_paths_that_are_relative_to_the_run_are_read_from_there(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(run, "dataset", 'images = "../pics"')
    edit(run, "model", 'path = "../base.safetensors"')
    monkeypatch.chdir(run.parent.parent)
    found = request_of(run, PlanRequest())

    assert (found.images, found.model) == (str(run / "../pics"), str(run / "../base.safetensors"))


def test_the_configuration_that_is_named_is_read(run: Path) -> None:
    edit(run, "network", "rank = 7", "other.toml")

    assert choices_of(run / "other.toml") == {"network.rank": 7}
    assert choices_of(run) == {}
