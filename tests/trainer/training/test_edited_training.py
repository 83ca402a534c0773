"""Trainings whose pictures the user edits before them and in the middle: caches count, and what is odd is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from advisor.dataset.edits import PictureEdit
from advisor.dataset.scan import scan
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.edits_file import append_change
from advisor.settings.config import TrainingConfig
from tests.support.runs import events_of, make_config, run_training

CACHED: dict[str, Any] = {
    "memory__cache_text": True, "dataset__shuffle_captions": False, "optimizer__text_encoder_learning_rate": 0.0,
    "schedule__name": "constant",
}  # fmt: skip


def edit(run: Path, config: TrainingConfig, **edits: dict[str, Any]) -> None:
    """Edit pictures by the number in their names, `p1`, `p2` ..."""
    images = Path(config.dataset.images)
    made = [PictureEdit((images / f"picture-00{name[1]}.png").as_posix(), **what) for name, what in edits.items()]
    append_change(RunFolder(run), "edit", made, files=scan(images))


def num_cached(run: Path, kind: str) -> int:
    return sum(1 for _ in (run / "cache" / kind).rglob("*.safetensors"))


def lines(run: Path) -> dict[str, dict[str, Any]]:
    found = map(json.loads, RunFolder(run).manifest.read_text("utf-8").splitlines())
    return {Path(line["path"]).stem: line for line in found}


def test_a_training_in_the_middle_goes_on_with_edits_and_makes_only_what_they_change(tmp_path: Path) -> None:
    run, config = tmp_path / "run", make_config(tmp_path, schedule__epochs=1, **CACHED)
    run_training(run, config)
    latents, texts = num_cached(run, "latents"), num_cached(run, "text")

    edit(
        run,
        config,
        p1={"caption": "tok, laughing"},
        p2={"crop": (0, 0, 96, 96)},
        p3={"excluded": "blurred"},
    )
    more = make_config(tmp_path, schedule__epochs=2, **CACHED)
    run_training(run, more, resume=True)

    assert [event["resumed_from"] for event in events_of(run, "started")] == [None, 4]
    assert (num_cached(run, "latents"), num_cached(run, "text")) == (latents + 1, texts + 1)
    assert [event["code"] for event in events_of(run, "warning")] == ["epochs_changed"]
    found = lines(run)
    assert found["picture-001"]["caption"] == "tok, laughing"
    assert (found["picture-002"]["size"], found["picture-002"]["crop"]) == ([96, 96], [0, 0, 96, 96])
    assert (found["picture-003"]["use"], found["picture-003"]["repeats"]) == ("excluded", 0)
    assert [line.get("edited", False) for line in found.values()].count(True) == 1


def test_edits_that_their_files_left_behind_are_told(tmp_path: Path) -> None:
    run, config = tmp_path / "run", make_config(tmp_path, schedule__max_steps=1)
    edit(run, config, p1={"caption": "tok, one"}, p2={"caption": "tok, two"}, p3={"excluded": "no"})
    images = Path(config.dataset.images)
    (images / "picture-002.txt").write_text("tok, changed since")
    (images / "picture-003.png").unlink()
    run_training(run, config)

    told = {event["code"]: event["message"] for event in events_of(run, "warning")}
    assert told["edited_captions_changed"] == (
        "2 captions come from your edits; 1 of these caption files has changed since (picture-002.png), and the edits "
        "are used: take them back to use the files"
    )
    assert "1 picture with edits of yours is not there any more (picture-003.png)" in told["edits_lost"]
    assert lines(run)["picture-002"]["caption"] == "tok, two"
