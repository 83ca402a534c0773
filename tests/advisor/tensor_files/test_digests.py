from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from advisor.errors import ModelError
from advisor.settings.config import ModelConfig
from advisor.tensor_files.digests import lora_digest, model_digest

TENSORS = {"a.lora_up.weight": torch.ones(2, 2), "a.alpha": torch.tensor(1.0)}


def test_a_lora_is_known_by_its_tensors_whatever_is_told_of_it(tmp_path: Path) -> None:
    first, again, other, renamed = (tmp_path / f"{name}.safetensors" for name in ("a", "b", "c", "d"))
    save_file(TENSORS, first, {"ss_epoch": "1"})
    save_file(TENSORS, again, {"ss_epoch": "2", "title": "another"})
    save_file(TENSORS | {"a.alpha": torch.tensor(2.0)}, other)
    save_file({key.replace("a.", "b."): one for key, one in TENSORS.items()}, renamed)

    assert lora_digest(first) == lora_digest(again)
    assert len({lora_digest(path) for path in (first, other, renamed)}) == 3


def test_a_base_model_is_known_by_its_files_wherever_it_lies(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "unet").mkdir(parents=True)
        (tmp_path / name / "unet" / "config.json").write_text("{}", "utf-8")
        (tmp_path / name / "sample.png").write_text(name, "utf-8")
    one, two = (ModelConfig(path=str(tmp_path / name), family="sd1") for name in ("one", "two"))
    before = model_digest(one)

    assert before == model_digest(two)
    (tmp_path / "two" / "unet" / "config.json").write_text("{ }", "utf-8")
    assert model_digest(two) != before
    other = str(tmp_path / "one" / "sample.png")
    assert model_digest(one.model_copy(update={"vae_path": other})) != before
    assert model_digest(one.model_copy(update={"text_encoder_path": other})) != before


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gone\.safetensors"):
        lora_digest(tmp_path / "gone.safetensors")
    with pytest.raises(ModelError, match=r"gone\.safetensors cannot be read"):
        model_digest(ModelConfig(path=str(tmp_path / "gone.safetensors"), family="sd1"))
