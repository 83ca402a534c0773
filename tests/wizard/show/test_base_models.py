from __future__ import annotations

from dataclasses import replace

from advisor.checkpoints.identity import PartFile
from advisor.families import KNOWN_FAMILIES, why_not_trainable
from advisor.families.about import ABOUT, licence_of
from tests.support.factories import make_identity
from wizard.show.base_models import base_model_notes, base_models_text

QWEN = PartFile("text_encoder", "/c/text_encoders/q.safetensors", (), "qwen_3_06b_base.safetensors", 1_192_000_000)
VAE = PartFile("vae", None, (), "qwen_image_vae.safetensors", 254_000_000)


def test_each_family_that_can_be_trained_has_a_sentence_of_two_lines_at_most() -> None:
    lines = base_models_text().split("\n")

    assert [name for name, known in KNOWN_FAMILIES.items() if known.trainable and name not in ABOUT] == []
    assert lines[0].startswith("- SD1.x: for weak cards")
    assert all(len(line) <= 240 for line in lines)


def test_parts_the_licence_and_the_order_of_tags_are_told() -> None:
    identity = replace(make_identity("sd1"), family="anima", part_files=(QWEN, VAE))

    told = base_model_notes(identity)

    assert "Its text encoder: /c/text_encoders/q.safetensors" in told
    assert "Its VAE: not found beside it (usually qwen_image_vae.safetensors (" in told
    assert "CircleStone non-commercial licence: https://huggingface.co/circlestone-labs/Anima" in told
    assert told.index("character, series, artist") < told.index("then all else")


def test_of_other_base_models_nothing_is_told() -> None:
    assert base_model_notes(make_identity("sdxl")) == ""
    assert licence_of("sdxl") is None
    assert licence_of(None) is None


def test_a_family_that_is_only_recognised_is_told_with_its_sentence() -> None:
    why = why_not_trainable(KNOWN_FAMILIES["krea2"])

    assert why.startswith("Krea 2 is recognised, but this version trains")
    assert "(Krea 2: photos and drawings, by sentences" in why
