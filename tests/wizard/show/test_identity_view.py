from __future__ import annotations

import json
from pathlib import Path

import pytest

from advisor.checkpoints.identify import identify
from tests.support.headers import write_model
from wizard.show.identity_view import identity_document, identity_lines

PART_FILES = {
    "diffusion_models/anima.safetensors": {
        "net.blocks.0.self_attn.q_proj.weight": (2048, 2048),
        "net.blocks.0.self_attn.q_norm.weight": (128,),
        "net.blocks.0.cross_attn.k_proj.weight": (2048, 1024),
        "net.blocks.0.mlp.layer1.weight": (8192, 2048),
        "net.blocks.0.adaln_modulation_self_attn.1.weight": (256, 2048),
        "net.final_layer.linear.weight": (64, 2048),
        "net.llm_adapter.embed.weight": (32128, 1024),
        "net.llm_adapter.blocks.0.cross_attn.q_proj.weight": (1024, 1024),
        "net.llm_adapter.blocks.0.cross_attn.q_norm.weight": (64,),
        "net.llm_adapter.blocks.0.cross_attn.k_proj.weight": (1024, 1024),
        "net.llm_adapter.blocks.0.mlp.0.weight": (4096, 1024),
    },
    "text_encoders/qwen_3_06b_base.safetensors": {
        "model.embed_tokens.weight": (151936, 1024),
        "model.layers.0.self_attn.q_norm.weight": (128,),
        "model.layers.0.self_attn.q_proj.weight": (2048, 1024),
        "model.layers.0.self_attn.k_proj.weight": (1024, 1024),
        "model.layers.0.mlp.gate_proj.weight": (3072, 1024),
    },
    "vae/qwen_image_vae.safetensors": {
        "encoder.conv1.weight": (96, 3, 3, 3, 3),
        "conv2.weight": (16, 16, 1, 1, 1),
        "decoder.middle.0.residual.0.gamma": (384, 1, 1, 1),
    },
}


@pytest.fixture
def comfyui(tmp_path: Path) -> Path:
    """Its folder of models with Anima's three files, cut short."""
    for name, shapes in PART_FILES.items():
        (tmp_path / name).parent.mkdir()
        write_model(tmp_path / name, shapes, dtype="BF16")
    return tmp_path


def shown(path: Path) -> str:
    """What the command prints, in one line with single blanks."""
    identity = identify(path)
    return " ".join(identity_lines(identity).split())


def test_animas_parts_are_shown_where_they_lie(comfyui: Path) -> None:
    text = shown(comfyui / "diffusion_models" / "anima.safetensors")

    assert "family Anima predicts" in text
    assert f"text encoder {comfyui / 'text_encoders' / 'qwen_3_06b_base.safetensors'} VAE" in text
    assert f"VAE {comfyui / 'vae' / 'qwen_image_vae.safetensors'} parameters" in text
    assert text.endswith("trainable yes")


def test_a_part_that_is_missing_is_named_with_the_file_to_get(comfyui: Path) -> None:
    (comfyui / "vae" / "qwen_image_vae.safetensors").unlink()

    text = shown(comfyui / "diffusion_models" / "anima.safetensors")

    assert "VAE not found beside it: get qwen_image_vae.safetensors (242 MiB)" in text


def test_further_files_that_would_do_are_shown(comfyui: Path) -> None:
    other = comfyui / "vae" / "z.safetensors"
    write_model(other, PART_FILES["vae/qwen_image_vae.safetensors"])

    text = shown(comfyui / "diffusion_models" / "anima.safetensors")

    assert f"VAE {comfyui / 'vae' / 'qwen_image_vae.safetensors'} (also found: {other})" in text


def test_a_bundle_says_that_it_holds_its_parts(tmp_path: Path) -> None:
    denoiser, text, vae = PART_FILES.values()
    whole = denoiser | {f"text_encoders.qwen3_06b.transformer.{name}": shape for name, shape in text.items()}
    bundle = write_model(tmp_path / "a.safetensors", whole | {f"vae.{name}": shape for name, shape in vae.items()})

    assert "text encoder in this file VAE in this file" in shown(bundle)


def test_the_document_has_the_parts_where_the_family_has_some(comfyui: Path) -> None:
    identity = identify(comfyui / "diffusion_models" / "anima.safetensors")
    document = json.loads(json.dumps(identity_document(identity)))
    text, vae = document["part_files"]
    other = identify(comfyui / "vae" / "qwen_image_vae.safetensors")

    assert text["path"] == str(comfyui / "text_encoders" / "qwen_3_06b_base.safetensors")
    assert (vae["kind"], vae["others"], vae["file_name"]) == ("vae", [], "qwen_image_vae.safetensors")
    assert identity_document(other)["part_files"] == []


def test_a_part_alone_is_named_for_what_it_is(comfyui: Path) -> None:
    text = identify(comfyui / "text_encoders" / "qwen_3_06b_base.safetensors")
    vae = identify(comfyui / "vae" / "qwen_image_vae.safetensors")

    assert text.why_not == (
        "it is Qwen3-0.6B, which Anima reads captions with, and no base model: choose the file of the model that it "
        "belongs to"
    )
    assert vae.why_not.startswith("it is the VAE of Qwen-Image, Wan 2.1, Anima and Krea 2 and no base model")
