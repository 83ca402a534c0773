"""`loracle plan` and `import` on runs whose pictures the user edited."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from advisor.dataset.edits import PictureEdit
from advisor.errors import RunError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.edits_file import append_change, read_changes
from advisor.run_folder.pictures.manifest import read_manifest_lines
from tests.support.pictures import make_pictures
from tests.support.tiny import tiny_sd1_checkpoint
from wizard.commands.import_ import import_
from wizard.commands.plan import plan
from wizard.interview.next_run import write_next_run
from wizard.interview.request import PlanRequest


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A planned run of three pictures, one of which is left out and one has another caption."""
    make_pictures(tmp_path / "pictures", 3, captions="mia, smile")
    model = tiny_sd1_checkpoint(tmp_path)
    found = RunFolder(tmp_path / "run")
    request = PlanRequest(images=str(tmp_path / "pictures"), model=str(model), name="mia")
    plan(request, out=found.path)
    first, second = ((tmp_path / "pictures" / f"picture-00{number}.png").as_posix() for number in (1, 2))
    edits = [PictureEdit(first, excluded="blurred"), PictureEdit(second, caption="mia, laughing")]
    append_change(found, "two edits", edits)
    return found


def num_images(run: Path) -> int:
    number: int = json.loads((run / "plan.json").read_text("utf-8"))["dataset"]["num_images"]
    return number


def test_a_run_is_planned_anew_with_its_edits_which_stay(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    before = run.edits.read_bytes()
    plan(PlanRequest(), run=run.path, out=run.path)

    assert num_images(run.path) == 2
    assert run.edits.read_bytes() == before
    told = capsys.readouterr().err
    assert "Your edits of this run: 1 caption, 1 picture left out (picture-" in told
    assert f"Your edits of pictures stay in {run.edits}" in told


def test_a_plan_of_the_folder_over_a_run_keeps_the_runs_edits(run: RunFolder, tmp_path: Path) -> None:
    config = run.read_config()
    request = PlanRequest(images=config.dataset.images, model=config.model.path, name="mia")
    plan(request, out=run.path, overwrite=True)

    assert num_images(run.path) == 2
    assert len(read_changes(run)) == 1


def test_a_plan_made_of_a_run_takes_its_edits_into_the_new_one(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan(PlanRequest(name="mia2"), run=run.path, out=tmp_path / "new")
    write_next_run(run.path, tmp_path / "next", {"schedule.epochs": 3})

    for folder in (tmp_path / "new", tmp_path / "next"):
        assert num_images(folder) == 2
        assert RunFolder(folder).edits.read_bytes() == run.edits.read_bytes()
        lines = {Path(line.path).stem: line for line in read_manifest_lines(RunFolder(folder).manifest)}
        assert (lines["picture-001"].use, lines["picture-001"].excluded) == ("excluded", "blurred")
        assert (lines["picture-002"].use, lines["picture-002"].caption) == ("planned", "mia, laughing")
    assert f"Your edits of pictures of {run.path} are in {tmp_path / 'new' / 'images' / 'edits.jsonl'}" in (
        capsys.readouterr().err
    )


def test_a_new_run_with_edits_of_its_own_keeps_those(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = RunFolder(tmp_path / "other")
    plan(PlanRequest(name="other"), run=run.path, out=other.path)
    path = (tmp_path / "pictures" / "picture-003.png").as_posix()
    append_change(other, "one more", [PictureEdit(path, excluded="too dark")])
    own = other.edits.read_bytes()
    capsys.readouterr()
    plan(PlanRequest(name="other"), run=run.path, out=other.path, overwrite=True)

    assert other.edits.read_bytes() == own
    assert num_images(other.path) == 1
    told = capsys.readouterr().err
    assert f"Your edits of pictures stay in {other.edits}" in told
    assert f"Those of {run.path} are not taken" in told


def test_damaged_edits_stop_a_plan_and_name_the_line(run: RunFolder, tmp_path: Path) -> None:
    run.edits.write_bytes(run.edits.read_bytes() + b"{\n")

    with pytest.raises(RunError, match="line 2"):
        plan(PlanRequest(name="new"), run=run.path, out=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_import_over_a_run_keeps_its_edits_and_plans_with_them(run: RunFolder, tmp_path: Path) -> None:
    config, before = run.read_config(), run.edits.read_bytes()
    file = tmp_path / "old.json"
    file.write_text(json.dumps({"LoRA_type": "Standard", "network_dim": 8, "epoch": 7, "output_name": "mia"}), "utf-8")
    import_(str(file), out=run.path, images=config.dataset.images, model=config.model.path, overwrite=True)

    assert run.edits.read_bytes() == before
    assert num_images(run.path) == 2
    assert {line.use for line in read_manifest_lines(run.manifest)} == {"planned", "excluded"}
    Path(config.model.path).rename(tmp_path / "gone.safetensors")
    import_(str(file), out=run.path, images=config.dataset.images, model=config.model.path, overwrite=True)
    assert not run.manifest.exists()


@pytest.mark.parametrize("record", [None, "[]", "{}", '{"config": {}, "decisions": []}'])
def test_a_plan_of_a_run_without_a_record_keeps_what_its_configuration_names(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str], record: str | None
) -> None:
    run.config.write_text(run.config.read_text("utf-8").replace("guidance = 7.0", "guidance = 4.5"), "utf-8")
    assert run.read_config().sampling.guidance == 4.5
    run.plan.unlink()
    if record is not None:
        run.plan.write_text(record, "utf-8")

    plan(PlanRequest(name="mia2"), run=run.path, out=tmp_path / "new")

    assert RunFolder(tmp_path / "new").read_config().sampling.guidance == 4.5
    assert "its plan.json tells nothing: they count as chosen by you" in capsys.readouterr().err
