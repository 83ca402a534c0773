"""A run whose pictures the user edits: from check to exports all of it reads the edits, and the user's folder stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from advisor.dataset.edits import PictureEdit
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import writing
from advisor.run_folder.pictures.edits_file import append_change
from tests.support.pictures import make_pictures, scene
from tests.support.tiny import tiny_sd1_checkpoint
from tests.support.vocabularies import OF_STABLE_DIFFUSION
from wizard.commands.check import CheckOptions, check
from wizard.commands.export import export
from wizard.commands.plan import plan
from wizard.commands.report import report
from wizard.commands.train import train
from wizard.interview.request import PlanRequest

SETTINGS = (
    "dataset.resolution_px=64", "dataset.min_bucket_px=64", "dataset.repeats=1", "schedule.epochs=1",
    "validation.share=0.2", "sampling.prompts=",
)  # fmt: skip


def everything(folder: Path) -> dict[str, tuple[str, int]]:
    """The content and the time of the last change of all that lies in a folder, and of the folders themselves."""
    return {
        path.relative_to(folder).as_posix(): (
            sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder", path.stat().st_mtime_ns,
        )
        for path in (folder, *sorted(folder.rglob("*")))
    }  # fmt: skip


Documents = Callable[[], Any]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Documents:
    """The JSON document that was printed last."""
    return lambda: json.loads(capsys.readouterr().out)


def edit_three(run: RunFolder, images: Path) -> None:
    """Another caption for the first picture, a crop of the second, and the third left out."""
    first, second, third = ((images / f"picture-00{number}.png").as_posix() for number in (1, 2, 3))
    edits = [
        PictureEdit(first, caption="mia, laughing"),
        PictureEdit(second, crop=(0, 0, 128, 128)),
        PictureEdit(third, excluded="blurred"),
    ]
    with writing(run, "editing", lambda _: None):
        append_change(run, "three edits", edits)


def test_check_plan_train_report_and_exports_read_the_edits_and_leave_the_users_folder_as_it_is(
    tmp_path: Path, printed: Documents
) -> None:
    images, run = tmp_path / "pictures", RunFolder(tmp_path / "run")
    make_pictures(images, 5, sizes=[(96, 96)], captions="mia, smile")
    make_pictures(images / "3_mia", 2, sizes=[(96, 128)], captions=False)
    scene(9, (192, 128)).save(images / "picture-002.png")
    before = everything(images)
    request = PlanRequest(
        images=str(images), model=str(tiny_sd1_checkpoint(tmp_path)), name="mia", settings=SETTINGS
    )  # fmt: skip
    plan(request, out=run.path, as_json=True)
    assert printed()["dataset"]["num_images"] == 7

    edit_three(run, images)
    check(str(run.path), CheckOptions(as_json=True))
    checked = printed()
    assert (checked["num_images"], checked["excluded"]) == (6, [{"path": "picture-003.png", "reason": "blurred"}])
    assert {"width_px": 128, "height_px": 128, "num_images": 1} in checked["sizes"]
    plan(PlanRequest(), run=run.path, out=run.path, as_json=True)
    assert printed()["dataset"]["num_images"] == 6
    train(run.path, device="cpu", as_json=True)
    assert printed()["epochs"] == 1

    lines = {Path(line["path"]).name: line for line in map(json.loads, run.manifest.read_text("utf-8").splitlines())}
    assert lines["picture-001.png"]["caption"] == "mia, laughing"
    assert lines["picture-002.png"]["crop"] == [0, 0, 128, 128]
    assert (lines["picture-003.png"]["use"], lines["picture-003.png"]["excluded"]) == ("excluded", "blurred")
    assert all(len(line["content"]) == 64 for line in lines.values())
    with safe_open(run.lora("mia"), framework="pt") as file:
        tags = json.loads(file.metadata()["ss_tag_frequency"])
    assert "laughing" in json.dumps(tags)

    report([str(run.path)])
    page = run.report.read_text("utf-8")
    assert "left out by you" in page
    for name in OF_STABLE_DIFFUSION:
        export(run.path, to=name)
    assert everything(images) == before
