from __future__ import annotations

import json
from pathlib import Path

import pytest

from advisor.checkpoints.distilled import notes_on_distilled, why_not_distilled
from advisor.families import KNOWN_FAMILIES
from advisor.families.z_image import Z_IMAGE


@pytest.mark.parametrize("name", ["z_image_turbo_bf16.safetensors", "Z-Image-Turbo", "zimageTurbo_v1.safetensors"])
def test_turbo_is_told_by_its_name(name: str) -> None:
    why = why_not_distilled(Z_IMAGE, Path("/m") / name, {})

    assert why.startswith(f"its name is {name!r}, so it is taken for Z-Image Turbo")
    assert "made to draw in 8 steps: training on it would undo that" in why
    assert "Train on Z-Image itself (z_image_bf16.safetensors)" in why


@pytest.mark.parametrize("name", ["z_image_bf16.safetensors", "z_image_de_turbo_v1.safetensors", "Z-Image-DeTurbo"])
def test_the_base_and_what_the_distillation_was_taken_from_are_not(name: str) -> None:
    assert why_not_distilled(Z_IMAGE, Path("/m") / name, {}) == ""


def test_turbo_is_told_by_its_metadata() -> None:
    why = why_not_distilled(Z_IMAGE, Path("/m/model.safetensors"), {"modelspec.title": "Z-Image Turbo"})

    assert why.startswith("its metadata call it 'Z-Image Turbo'")


@pytest.mark.parametrize(("shift", "is_turbo"), [(3.0, True), (6.0, False), ("odd", False)])
def test_a_folder_is_told_by_its_scheduler(tmp_path: Path, shift: object, is_turbo: bool) -> None:
    (tmp_path / "scheduler").mkdir()
    (tmp_path / "scheduler" / "scheduler_config.json").write_text(json.dumps({"shift": shift}))

    assert bool(why_not_distilled(Z_IMAGE, tmp_path, {})) == is_turbo


def test_families_without_such_a_model_are_not_asked() -> None:
    sd1 = KNOWN_FAMILIES["sd1"]

    assert (why_not_distilled(sd1, Path("turbo"), {}), notes_on_distilled(sd1)) == ("", ())
    assert "do not tell it from Turbo" in notes_on_distilled(Z_IMAGE)[0]
