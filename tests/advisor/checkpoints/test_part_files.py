from __future__ import annotations

from pathlib import Path

import pytest

from advisor.checkpoints.part_files import find_part, why_not_part
from advisor.families.anima import ANIMA
from advisor.families.part_files import PartKind
from advisor.families.signature import Tensors
from tests.support.headers import write_model
from tests.support.tiny_anima import write_tiny_anima


def is_wanted(tensors: Tensors) -> bool:
    return "wanted" in tensors


def put(path: Path, name: str = "wanted") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_model(path, {name: (1,)})
    return path


@pytest.mark.parametrize(
    ("base", "part", "kind"),
    [
        ("anima.safetensors", "qwen.safetensors", "text_encoder"),
        ("models/diffusion_models/a.safetensors", "models/text_encoders/q.safetensors", "text_encoder"),
        ("models/diffusion_models/anima/a.safetensors", "models/clip/q.safetensors", "text_encoder"),
        ("models/Stable-diffusion/a.safetensors", "models/VAE/v.safetensors", "vae"),
        ("Models/DiffusionModels/a.safetensors", "Models/TextEncoders/q.safetensors", "text_encoder"),
    ],
)
def test_parts_are_found_where_user_interfaces_keep_them(tmp_path: Path, base: str, part: str, kind: PartKind) -> None:
    model, wanted = put(tmp_path / base, "other"), put(tmp_path / part)

    assert find_part(model, kind, is_wanted) == (wanted,)


def test_a_folder_within_such_a_folder_is_looked_into(tmp_path: Path) -> None:
    model = put(tmp_path / "models" / "unet" / "a.safetensors", "other")
    wanted = put(tmp_path / "models" / "vae" / "anima" / "v.safetensors")

    assert find_part(model, "vae", is_wanted) == (wanted,)


def test_the_models_own_file_comes_first(tmp_path: Path) -> None:
    model, beside = put(tmp_path / "z.safetensors"), put(tmp_path / "a.safetensors")

    assert find_part(model, "vae", is_wanted) == (model, beside)


def test_what_does_not_fit_or_is_no_model_is_passed_over(tmp_path: Path) -> None:
    model = put(tmp_path / "models" / "unet" / "a.safetensors", "other")
    put(tmp_path / "models" / "vae" / "other.safetensors", "other")
    (tmp_path / "models" / "vae" / "broken.safetensors").write_text("no model", encoding="utf-8")

    assert find_part(model, "vae", is_wanted) == ()


def test_the_nearest_comes_first(tmp_path: Path) -> None:
    model = put(tmp_path / "models" / "unet" / "a.safetensors", "other")
    far, near = put(tmp_path / "models" / "vae" / "a.safetensors"), put(tmp_path / "models" / "unet" / "z.safetensors")

    assert find_part(model, "vae", is_wanted) == (near, far)


def test_a_file_that_is_named_as_a_part_is_looked_into(tmp_path: Path) -> None:
    files = write_tiny_anima(tmp_path)

    assert why_not_part(files.denoiser, ANIMA, "text_encoder", files.text_encoder) == ""
    assert why_not_part(files.denoiser, ANIMA, "vae", files.vae) == ""
    assert "is no qwen_image_vae.safetensors" in why_not_part(files.denoiser, ANIMA, "vae", files.text_encoder)
    assert why_not_part(files.denoiser, ANIMA, "vae", tmp_path / "absent.safetensors") != ""
