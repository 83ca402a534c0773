"""Configurations of Anima for exports and imports: by hand, and drawn."""

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


def anima_config(images: Path | str = "/pictures", /, **groups: Any) -> TrainingConfig:
    """Anima in ComfyUI's three files; groups of settings may be given."""
    tree: dict[str, dict[str, Any]] = {
        "model": {
            "path": MODEL, "family": "anima", "prediction": "flow", "lineage": None, "clip_skip": 1,
            "text_encoder_path": QWEN, "vae_path": VAE,
        },
        "optimizer": {"text_encoder_learning_rate": 0.0},
        "loss": {"min_snr_gamma": 0.0, "timestep_sampling": "logit_normal"},
        "memory": {"cache_text": True},
        "sampling": {"sampler": "euler"},
    }  # fmt: skip
    for group, settings in groups.items():
        tree.setdefault(group, {}).update(settings)
    return sample_config(images, **tree)


@st.composite
def plausible_anima(draw: st.DrawFn, kinds: tuple[str, ...] = ("lora", "loha", "lokr", "dora")) -> TrainingConfig:
    """Any training of Anima that is within our limits."""
    tree = draw(plausible_configs()).model_dump()
    kind = draw(st.sampled_from(kinds))
    tree["model"] |= {
        "family": "anima", "prediction": "flow", "path": MODEL, "text_encoder_path": QWEN, "vae_path": VAE,
        "clip_skip": 1, "lineage": None,
    }  # fmt: skip
    tree["network"] |= {
        "kind": kind, "conv_rank": 0, "conv_alpha": 0.0, "text_adapter": draw(st.booleans()),
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
