from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from advisor.checkpoints.identity import Identity
from advisor.choosing.prompts import prompts_for
from advisor.errors import ModelError
from tests.support.factories import make_gpu, make_hardware, make_identity
from tests.support.headers import write_model
from tests.support.tiny import tiny_sd1_checkpoint
from wizard.interview.drawing.lone_lora import base_model, captions_of, lone_config, lone_lora, trigger_of

LORA = Identity("kiri.safetensors", "lora", family="sd1", adapter="lora", rank=8)
TAGS = {"10_kiri": {"1girl": 20, "kirishima": 20, "smile": 8}, "2_other": {"1girl": 4, "kirishima": 3}}
TENSORS = {"lora_unet_x.lora_down.weight": (1, 1), "lora_unet_x.lora_up.weight": (1, 1)}
METADATA = {"ss_tag_frequency": json.dumps(TAGS)}


def test_a_lora_and_its_metadata_are_read_and_other_files_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "a.safetensors", TENSORS, metadata={"ss_epoch": "3"})

    identity, metadata = lone_lora(path)

    assert (identity.kind, metadata["ss_epoch"]) == ("lora", "3")
    with pytest.raises(ModelError, match="is no LoRA but of the kind checkpoint: name a LoRA's file or a run folder"):
        lone_lora(tiny_sd1_checkpoint(tmp_path))


def test_a_base_model_of_another_family_is_refused(tmp_path: Path) -> None:
    path = tiny_sd1_checkpoint(tmp_path)

    assert base_model(path, LORA).family == "sd1"
    with pytest.raises(ModelError, match=r"kiri\.safetensors is for sdxl, and the base model .* is sd1: name a base"):
        base_model(path, replace(LORA, family="sdxl"))
    with pytest.raises(ModelError, match="is no base model but: lora; name a checkpoint"):
        base_model(write_model(tmp_path / "a.safetensors", TENSORS), LORA)


@pytest.mark.parametrize(
    ("metadata", "trigger"),
    [
        ({"modelspec.trigger_phrase": "kiri, 1girl"} | METADATA, "kiri"),
        (METADATA, "kirishima"),
        ({"ss_tag_frequency": "[1, 2]"}, ""),
        ({"ss_tag_frequency": '{"a": {"smile": "many", "b": -1}}'}, ""),
        ({"ss_tag_frequency": "{"}, ""),
        ({}, ""),
    ],
)
def test_the_trigger_is_what_the_metadata_say_else_the_tag_of_nearly_all_captions(
    metadata: dict[str, str], trigger: str
) -> None:
    assert trigger_of(metadata) == trigger


def test_captions_are_made_in_which_tags_are_as_frequent_as_they_were() -> None:
    found = captions_of(METADATA, "kirishima")

    assert len(found.captions) == 24
    assert found.shares["1girl"] == 1
    assert found.shares["smile"] == pytest.approx(8 / 24)
    assert "kirishima" in next(prompt.text for prompt in prompts_for(found))


def test_many_captions_are_made_fewer() -> None:
    found = captions_of({"ss_tag_frequency": '{"a": {"fox": 100000, "hat": 25000}}'}, "fox")

    assert len(found.captions) == 500
    assert found.shares["hat"] == 0.25


def test_it_is_drawn_as_the_base_model_wants_it() -> None:
    base = make_identity("sdxl", prediction="v_prediction", zero_terminal_snr=True)
    card = make_hardware(gpus=(make_gpu(12),))

    on_card = lone_config(LORA, base, METADATA, card, use_cpu=False)
    on_cpu = lone_config(LORA, base, METADATA, card, use_cpu=True)

    assert (on_card.model.prediction, on_card.loss.zero_terminal_snr) == ("v_prediction", True)
    assert (on_card.dataset.resolution_px, on_card.run.trigger) == (1024, "kirishima")
    assert (on_card.memory.compute_dtype, on_card.memory.preset) == ("bfloat16", "high")
    assert (on_cpu.memory.compute_dtype, on_cpu.memory.preset) == ("float32", "cpu")


def test_the_clip_skip_that_it_was_trained_with_counts() -> None:
    hardware = make_hardware()

    assert lone_config(LORA, make_identity("sd1"), {"ss_clip_skip": "2"}, hardware, use_cpu=True).model.clip_skip == 2
    assert lone_config(LORA, make_identity("sd1"), {}, hardware, use_cpu=True).model.clip_skip == 1
