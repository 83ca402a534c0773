from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from advisor.errors import ConfigErrors, RunError
from templates.ai_toolkit.export import EXPORTER
from templates.exporting.exporter import Export
from tests.support.pictures import make_pictures
from tests.support.samples import sample_config

PROMPTS = {"prompts": ["a fox"], "negative": "blurry"}


def export(place: Path, /, *, out: Path | None = None, **groups: Any) -> Export:
    make_pictures(place / "pictures", 6)
    config = sample_config(place / "pictures", **{"optimizer": {"text_encoder_learning_rate": 1e-4}, **groups})
    return EXPORTER.write(config, run=place / "run", out=out)


def process(result: Export) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(result.paths[0].read_text("utf-8"))["config"]["process"][0]
    return found


def test_a_job_counts_steps_and_links_the_images(tmp_path: Path) -> None:
    result = export(tmp_path, sampling=PROMPTS)

    job = process(result)
    assert result.paths[0] == tmp_path / "run" / "exports" / "ai-toolkit" / "job.yaml"
    assert job["train"]["steps"] == 600
    assert job["save"]["save_every"] == 60
    assert job["sample"]["sample_every"] == 60
    assert job["datasets"][0]["num_repeats"] == 20
    folder = Path(job["datasets"][0]["folder_path"])
    assert folder.name == "20_foxgirl"
    assert (folder / "picture-001.png").samefile(tmp_path / "pictures" / "picture-001.png")
    assert "600 steps" in " ".join(result.notes)


def test_linear_is_told_to_fall(tmp_path: Path) -> None:
    job = process(export(tmp_path, schedule={"name": "linear"}))

    assert job["train"]["lr_scheduler_params"] == {"start_factor": 1.0, "end_factor": 0.0}


@pytest.mark.parametrize(
    ("groups", "path"),
    [
        ({"network": {"kind": "loha"}}, "network.kind"), ({"optimizer": {"name": "came"}}, "optimizer.name"),
        ({"schedule": {"name": "polynomial"}}, "schedule.name"), ({"loss": {"kind": "huber"}}, "loss.kind"),
        ({"optimizer": {"arguments": ["eps=1e-6"]}}, "optimizer.arguments"),
        ({"optimizer": {"max_grad_norm": 0}}, "optimizer.max_grad_norm"),
        ({"model": {"family": "flux1"}}, "model.family"),
        ({"sampling": {"prompts": ["a ${HOME}"]}}, "prompts"),
    ],
)  # fmt: skip
def test_what_it_cannot_train_is_refused_before_writing(tmp_path: Path, groups: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigErrors, match=path):
        export(tmp_path, **groups)
    assert not (tmp_path / "run" / "exports" / "ai-toolkit" / "job.yaml").exists()


def test_without_images_the_steps_must_be_given(tmp_path: Path) -> None:
    config = sample_config("/not here")

    with pytest.raises(ConfigErrors, match="max_steps"):
        EXPORTER.write(config, run=tmp_path, out=None)
    result = EXPORTER.write(sample_config("/not here", schedule={"max_steps": 500}), run=tmp_path, out=None)
    assert process(result)["train"]["steps"] == 500
    assert "not on this machine" in " ".join(result.notes)


def test_what_has_no_place_is_reported(tmp_path: Path) -> None:
    notes = " ".join(export(tmp_path, loss={"debiased": True}, schedule={"warmup_steps": 10}).notes)

    assert "loss.debiased" in notes
    assert "schedule.warmup" in notes


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x", "utf-8")

    with pytest.raises(RunError, match="is a file"):
        export(tmp_path, out=tmp_path / "taken")
