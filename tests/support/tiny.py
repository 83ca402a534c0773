"""Tiny base models of random weights in genuine layouts; the same seed gives the same bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from advisor.families.stable_diffusion import StableDiffusionStructure, TextStructure, VaeStructure
from advisor.families.unet import UNetStructure
from tests.support.tiny_layout import ldm_state
from trainer.models.clip_text import text_root
from trainer.models.families.family import BaseModel
from trainer.models.families.sdxl import Sdxl
from trainer.models.families.stable_diffusion import SD1_LAYOUT, Sd1, Sd2
from trainer.models.families.unet_family import UNetFamily

CPU = torch.device("cpu")
TINY_SD1 = StableDiffusionStructure(
    unet=UNetStructure(
        in_channels=4,
        out_channels=4,
        block_out_channels=(32, 32, 64, 64),
        transformer_depth=(1, 1, 1, 0),
        layers_per_block=1,
        cross_attention_dim=32,
        heads=(8, 8, 8, 8),
    ),
    text=(TextStructure(width=32, layers=3, heads=4, mlp_width=64, vocab_size=49408, max_positions=77),),
    vae=VaeStructure(block_out_channels=(32, 32, 32, 32), latent_channels=4, layers_per_block=1),
    native_px=512,
)
"""As SD1.5 is built, but of 0.6 M parameters beside the 1.6 M of the token embedding."""
TINY_FOLDER = StableDiffusionStructure(
    unet=UNetStructure(
        in_channels=8,
        out_channels=8,
        block_out_channels=(16, 32),
        transformer_depth=(0, 1),
        layers_per_block=1,
        cross_attention_dim=32,
        heads=(2, 2),
        norm_groups=8,
    ),
    text=(TextStructure(width=32, layers=2, heads=2, mlp_width=64, vocab_size=60, max_positions=24),),
    vae=VaeStructure(
        block_out_channels=(8, 16, 16),
        latent_channels=8,
        layers_per_block=1,
        norm_groups=4,
        mid_attention=False,
        scaling_factor=0.8,
    ),
    native_px=64,
    prediction="v_prediction",
)
"""Other numbers than SD1.5's throughout: 8 latent channels, a quarter of the size, 24 tokens, 64 px, v-prediction."""

TINY_SD2 = StableDiffusionStructure(
    unet=UNetStructure(
        in_channels=4,
        out_channels=4,
        block_out_channels=(32, 32, 64, 64),
        transformer_depth=(1, 1, 1, 0),
        layers_per_block=2,
        cross_attention_dim=32,
        heads=(1, 1, 1, 1),
        linear_projection=True,
    ),
    text=(
        TextStructure(width=32, layers=3, heads=4, mlp_width=64, vocab_size=49408, max_positions=77, activation="gelu"),
    ),
    vae=VaeStructure(block_out_channels=(32, 32, 32, 32), latent_channels=4, layers_per_block=1),
    native_px=768,
)
"""As SD2.1 is built; the file has a fourth text layer, which is never used."""
TINY_SDXL = StableDiffusionStructure(
    unet=UNetStructure(
        in_channels=4,
        out_channels=4,
        block_out_channels=(32, 64, 64),
        transformer_depth=(0, 1, 2),
        layers_per_block=2,
        cross_attention_dim=80,
        heads=(1, 1, 1),
        linear_projection=True,
    ),
    text=(
        TextStructure(width=32, layers=3, heads=4, mlp_width=64, vocab_size=49408, max_positions=77),
        TextStructure(
            width=48,
            layers=3,
            heads=4,
            mlp_width=96,
            vocab_size=49408,
            max_positions=77,
            activation="gelu",
            projection=40,
        ),
    ),
    vae=VaeStructure(
        block_out_channels=(32, 32, 32, 32), latent_channels=4, layers_per_block=1, scaling_factor=0.13025
    ),
    native_px=1024,
)
"""As SDXL is built; the pooled text has a width of its own."""
TINY_SD2_FOLDER = replace(
    TINY_FOLDER,
    unet=replace(TINY_FOLDER.unet, linear_projection=True),
    text=(replace(TINY_FOLDER.text[0], activation="gelu"),),
)
TINY_SDXL_FOLDER = replace(
    TINY_FOLDER,
    unet=replace(TINY_FOLDER.unet, linear_projection=True, transformer_depth=(0, 2), cross_attention_dim=56),
    text=(TINY_FOLDER.text[0], replace(TINY_FOLDER.text[0], width=24, layers=3, activation="gelu", projection=20)),
    prediction="epsilon",
)
PREDICTION_BIAS = "model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias"
"""By its spread SD2's two kinds are told apart."""


def tiny_sd1_checkpoint(folder: Path, *, seed: int = 0, dtype: torch.dtype = torch.float16) -> Path:
    """A single file in LDM layout, with `position_ids` as public files have them."""
    tensors = _checkpoint_tensors(seed, dtype)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny-sd1.safetensors"
    save_file(tensors, path, metadata={"format": "pt"})
    return path


def tiny_sd2_checkpoint(
    folder: Path, *, seed: int = 0, dtype: torch.dtype = torch.float16, prediction: str = "v_prediction"
) -> Path:
    """A single file whose prediction can be told as that of public ones."""
    tensors = ldm_state(tiny_base(Sd2(), TINY_SD2, seed=seed))
    last = {name.replace(".2.", ".3."): one for name, one in tensors.items() if ".resblocks.2." in name}
    more = {f"cond_stage_model.model.{name}": torch.ones(()) for name in ("logit_scale", "text_projection")}
    tensors |= last | more
    tensors[PREDICTION_BIAS] = tensors[PREDICTION_BIAS] * (4 if prediction == "v_prediction" else 1)
    return _save(tensors, folder / "tiny-sd2.safetensors", dtype)


def tiny_sdxl_checkpoint(
    folder: Path, *, seed: int = 0, dtype: torch.dtype = torch.float16, marks: Sequence[str] = ()
) -> Path:
    """A single file; `marks` are empty tensors such as `v_pred` and `ztsnr`."""
    tensors = ldm_state(tiny_base(Sdxl(), TINY_SDXL, seed=seed))
    tensors["conditioner.embedders.0.transformer.text_model.embeddings.position_ids"] = torch.arange(77)[None]
    tensors["conditioner.embedders.1.model.logit_scale"] = torch.ones(())
    tensors |= {mark: torch.zeros(0) for mark in marks}
    return _save(tensors, folder / "tiny-sdxl.safetensors", dtype)


def _save(tensors: Mapping[str, Tensor], path: Path, dtype: torch.dtype) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: one.to(dtype).contiguous().clone() for name, one in tensors.items()}, path, {"format": "pt"})
    return path


@cache
def _checkpoint_tensors(seed: int, dtype: torch.dtype) -> dict[str, Tensor]:
    base = tiny_sd1(seed=seed)
    tensors = {name: tensor.to(dtype).contiguous() for name, tensor in ldm_state(base).items()}
    places = torch.arange(base.structure.text[0].max_positions)[None]
    return tensors | {f"{SD1_LAYOUT.text[0][0]}embeddings.position_ids": places}


def tiny_sd1_folder(folder: Path, *, seed: int = 0, dtype: torch.dtype = torch.float16) -> Path:
    """A diffusers folder with numbers of its own (`TINY_FOLDER`) and a tokenizer of letters."""
    base = tiny_sd1(TINY_FOLDER, seed=seed, dtype=dtype, vae_dtype=dtype)
    return _write_folder(base, folder / "tiny-sd1-folder", "StableDiffusionPipeline")


def tiny_sd2_folder(folder: Path, *, seed: int = 0, dtype: torch.dtype = torch.float16) -> Path:
    """The same for SD2 (`TINY_SD2_FOLDER`); captions are filled up with token 0."""
    base = tiny_base(Sd2(), TINY_SD2_FOLDER, seed=seed, dtype=dtype, vae_dtype=dtype)
    return _write_folder(base, folder / "tiny-sd2-folder", "StableDiffusionPipeline")


def tiny_sdxl_folder(folder: Path, *, seed: int = 0, dtype: torch.dtype = torch.float16) -> Path:
    """The same for SDXL (`TINY_SDXL_FOLDER`)."""
    base = tiny_base(Sdxl(), TINY_SDXL_FOLDER, seed=seed, dtype=dtype, vae_dtype=dtype)
    return _write_folder(base, folder / "tiny-sdxl-folder", "StableDiffusionXLPipeline")


def _write_folder(base: BaseModel, path: Path, pipeline: str) -> Path:
    family, index = base.family, {"_class_name": pipeline, "_diffusers_version": "0.38.0"}
    assert isinstance(family, UNetFamily)
    parts: dict[str, list[str | None]] = {
        "scheduler": ["diffusers", "DDIMScheduler"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
    }
    base.denoiser.save_pretrained(path / "unet")
    base.vae.save_pretrained(path / "vae")
    for part, encoder in zip(family.text_parts, base.text_encoders, strict=True):
        _write_text_encoder(encoder, path / part.encoder)
        _write_tokenizer(path / part.tokenizer, pad=part.pad)
        parts |= {part.encoder: ["transformers", type(encoder).__name__]}
        parts |= {part.tokenizer: ["transformers", "CLIPTokenizer"]}
    scheduler = {
        "_class_name": "DDIMScheduler",
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "num_train_timesteps": 1000,
        "prediction_type": base.structure.prediction,
    }
    _write_json(path / "scheduler" / "scheduler_config.json", scheduler)
    if pipeline == "StableDiffusionPipeline":
        parts["safety_checker"] = [None, None]
    _write_json(path / "model_index.json", index | parts)
    return path


def tiny_sd1(
    structure: StableDiffusionStructure = TINY_SD1,
    *,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    vae_dtype: torch.dtype = torch.float32,
) -> BaseModel:
    """The same in memory, on the CPU, without a file."""
    return tiny_base(Sd1(), structure, seed=seed, dtype=dtype, vae_dtype=vae_dtype)


def tiny_base(
    family: UNetFamily,
    structure: StableDiffusionStructure,
    *,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    vae_dtype: torch.dtype = torch.float32,
) -> BaseModel:
    """A model of any family in memory, on the CPU, without a file."""
    base = family.build(structure, dtype=dtype, vae_dtype=vae_dtype, device=CPU)
    generator = torch.Generator().manual_seed(seed)
    for network in (base.denoiser, base.vae, *base.text_encoders):
        randomize(network, generator)
    base.denoiser.register_to_config(sample_size=structure.native_px // structure.vae.factor)
    base.vae.register_to_config(sample_size=structure.native_px)
    return base


def randomize(network: nn.Module, generator: torch.Generator) -> None:
    """Weights that give lively but finite outputs: norms near 1, the rest scaled by its inputs."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim == 1:
                noise = noise * 0.05 + (1.0 if "norm" in name and name.endswith("weight") else 0.0)
            else:
                noise = noise / math.sqrt(parameter[0].numel())
            parameter.copy_(noise)


def _write_text_encoder(text_encoder: Any, folder: Path) -> None:
    """As public folders have it: every name begins with `text_model.`, whatever transformers calls it inside."""
    vocab_size = TINY_FOLDER.text[0].vocab_size
    marks = {"bos_token_id": vocab_size - 4, "eos_token_id": vocab_size - 3, "pad_token_id": vocab_size - 3}
    kind = {"architectures": [type(text_encoder).__name__]}
    _write_json(folder / "config.json", text_encoder.config.to_dict() | marks | kind)
    state = {f"text_model.{name}": weight for name, weight in text_root(text_encoder).state_dict().items()}
    if hasattr(text_encoder, "text_projection"):
        state["text_projection.weight"] = text_encoder.text_projection.weight
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def _write_tokenizer(folder: Path, *, pad: str) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz,"
    marks = ("<|startoftext|>", "<|endoftext|>")
    if pad not in marks:
        letters = pad + letters[:-1]
    entries = [*letters, *(letter + "</w>" for letter in letters), "ca", "cat</w>", *marks]
    _write_json(folder / "vocab.json", {entry: index for index, entry in enumerate(entries)})
    (folder / "merges.txt").write_text("#version: 0.2\nc a\nca t</w>\n", encoding="utf-8")
    special = {"bos_token": marks[0], "eos_token": marks[1], "unk_token": marks[1], "pad_token": pad}
    _write_json(
        folder / "tokenizer_config.json", {"tokenizer_class": "CLIPTokenizer", "model_max_length": 24} | special
    )
    _write_json(folder / "special_tokens_map.json", special)


def _write_json(path: Path, table: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(table, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
