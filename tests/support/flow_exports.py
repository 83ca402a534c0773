"""Configurations of flow matching bases for exports and imports: by hand, and drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from advisor.rules.fitting import tags_vary
from advisor.settings.config import TrainingConfig, parse_config
from tests.support.expected import plausible_configs
from tests.support.samples import sample_config

MODEL, QWEN, VAE = "/m/anima-base-v1.0.safetensors", "/m/qwen_3_06b_base.safetensors", "/m/qwen_image_vae.safetensors"
FOLDER = "/m/Anima-Base-v1.0-Diffusers"
NUM_BLOCKS = 28
Z_MODEL, Z_QWEN, Z_VAE = "/m/z_image_bf16.safetensors", "/m/qwen_3_4b.safetensors", "/m/ae.safetensors"
Z_FOLDER = "/m/Z-Image"
FOLDERS = {"anima": FOLDER, "z_image": Z_FOLDER}


def anima_config(images: Path | str = "/pictures", /, **groups: Any) -> TrainingConfig:
    """Anima in ComfyUI's three files; groups of settings may be given."""
    return _config(images, {"family": "anima", **_files("anima")}, groups)


def z_image_config(images: Path | str = "/pictures", /, **groups: Any) -> TrainingConfig:
    """Z-Image in ComfyUI's three files; groups of settings may be given."""
    return _config(images, {"family": "z_image", **_files("z_image")}, groups)


def _files(family: str) -> dict[str, Any]:
    files = (MODEL, QWEN, VAE) if family == "anima" else (Z_MODEL, Z_QWEN, Z_VAE)
    return dict(zip(("path", "text_encoder_path", "vae_path"), files, strict=True))


def _config(images: Path | str, model: dict[str, Any], groups: dict[str, Any]) -> TrainingConfig:
    tree: dict[str, dict[str, Any]] = {
        "model": {"prediction": "flow", "lineage": None, "clip_skip": 1, **model},
        "optimizer": {"text_encoder_learning_rate": 0.0},
        "loss": {"min_snr_gamma": 0.0, "timestep_sampling": "logit_normal"},
        "memory": {"cache_text": True},
        "sampling": {"sampler": "euler"},
    }  # fmt: skip
    for group, settings in groups.items():
        tree.setdefault(group, {}).update(settings)
    return sample_config(images, **tree)


@st.composite
def plausible_flow(
    draw: st.DrawFn, family: str = "anima", kinds: tuple[str, ...] = ("lora", "loha", "lokr", "dora")
) -> TrainingConfig:
    """Any training of such a base that is within our limits."""
    tree = draw(plausible_configs()).model_dump()
    kind = draw(st.sampled_from(kinds))
    tree["model"] |= {"family": family, "prediction": "flow", "clip_skip": 1, "lineage": None, **_files(family)}
    tree["network"] |= {
        "kind": kind, "conv_rank": 0, "conv_alpha": 0.0, "text_adapter": family == "anima" and draw(st.booleans()),
        "dropout": tree["network"]["dropout"] if kind == "lora" else 0.0,
    }  # fmt: skip
    tree["optimizer"]["text_encoder_learning_rate"] = 0.0
    tree["loss"] |= {
        "min_snr_gamma": 0.0, "debiased": False, "noise_offset": 0.0, "adaptive_noise_scale": 0.0,
        "multires_iterations": 0, "zero_terminal_snr": False, "huber_schedule": "constant",
        "timestep_shift": draw(st.sampled_from([1.0, 3.0, 2.5, "auto"])),
        "timestep_sampling": draw(st.sampled_from(["uniform", "logit_normal"])),
    }  # fmt: skip
    if tree["loss"]["timestep_shift"] == "auto":
        tree["loss"] |= {"timestep_sampling": "logit_normal", "timestep_mean": 0.0}
    tree["memory"] |= {"cache_text": True}
    tree["sampling"] |= {"sampler": "euler"}
    found = parse_config(tree)
    tree["memory"]["text_variants"] = 8 if tags_vary(found) else 0
    return parse_config(tree)
