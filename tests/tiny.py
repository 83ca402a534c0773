"""Tiny base models of random weights in genuine layouts; the same seed gives the same bytes."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from advisor.families.structure import Structure, TextStructure, UNetStructure, VaeStructure
from trainer.clip_text import text_root
from trainer.families.family import BaseModel
from trainer.families.sd1 import LAYOUT, Sd1
from trainer.ldm_keys import unet_key, vae_key

CPU = torch.device("cpu")
TINY_SD1 = Structure(
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
TINY_FOLDER = Structure(
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


def tiny_sd1_checkpoint(folder: Path, *, seed: int = 0, dtype: torch.dtype = torch.float16) -> Path:
    """A single file in LDM layout, with `position_ids` as public files have them."""
    tensors = _checkpoint_tensors(seed, dtype)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny-sd1.safetensors"
    save_file(tensors, path, metadata={"format": "pt"})
    return path


@cache
def _checkpoint_tensors(seed: int, dtype: torch.dtype) -> dict[str, Tensor]:
    base = tiny_sd1(seed=seed)
    tensors = {name: tensor.to(dtype).contiguous() for name, tensor in ldm_state(base).items()}
    places = torch.arange(base.structure.text[0].max_positions)[None]
    return tensors | {f"{LAYOUT.text[0][0]}embeddings.position_ids": places}


def tiny_sd1_folder(folder: Path, *, seed: int = 0, dtype: torch.dtype = torch.float16) -> Path:
    """A diffusers folder with numbers of its own (`TINY_FOLDER`) and a tokenizer of letters."""
    base = tiny_sd1(TINY_FOLDER, seed=seed, dtype=dtype, vae_dtype=dtype)
    path = folder / "tiny-sd1-folder"
    base.denoiser.save_pretrained(path / "unet")
    base.vae.save_pretrained(path / "vae")
    _write_text_encoder(base.text_encoders[0], path / "text_encoder")
    _write_tokenizer(path / "tokenizer")
    scheduler = {
        "_class_name": "DDIMScheduler",
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "num_train_timesteps": 1000,
        "prediction_type": TINY_FOLDER.prediction,
    }
    _write_json(path / "scheduler" / "scheduler_config.json", scheduler)
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.38.0",
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "safety_checker": [None, None],
        "requires_safety_checker": False,
    }
    _write_json(path / "model_index.json", index)
    return path


def tiny_sd1(
    structure: Structure = TINY_SD1,
    *,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    vae_dtype: torch.dtype = torch.float32,
) -> BaseModel:
    """The same in memory, on the CPU, without a file."""
    base = Sd1().build(structure, dtype=dtype, vae_dtype=vae_dtype, device=CPU)
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


def ldm_state(base: BaseModel) -> dict[str, Tensor]:
    """All weights under the names of a single file."""
    structure = base.structure
    unet = {LAYOUT.unet + unet_key(key, structure.unet): w for key, w in base.denoiser.state_dict().items()}
    vae = {}
    for key, weight in base.vae.state_dict().items():
        name = LAYOUT.vae + vae_key(key, structure.vae)
        is_square = ".mid.attn_1." in name and weight.ndim == 2
        vae[name] = weight[:, :, None, None] if is_square else weight
    text = {LAYOUT.text[0][0] + key: w for key, w in text_root(base.text_encoders[0]).state_dict().items()}
    return unet | vae | text


def _write_text_encoder(text_encoder: Any, folder: Path) -> None:
    """As public folders have it: every name begins with `text_model.`, whatever transformers calls it inside."""
    vocab_size = TINY_FOLDER.text[0].vocab_size
    marks = {"bos_token_id": vocab_size - 4, "eos_token_id": vocab_size - 3, "pad_token_id": vocab_size - 3}
    _write_json(folder / "config.json", text_encoder.config.to_dict() | marks)
    state = {f"text_model.{name}": weight for name, weight in text_root(text_encoder).state_dict().items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def _write_tokenizer(folder: Path) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz,"
    marks = ("<|startoftext|>", "<|endoftext|>")
    entries = [*letters, *(letter + "</w>" for letter in letters), "ca", "cat</w>", *marks]
    _write_json(folder / "vocab.json", {entry: index for index, entry in enumerate(entries)})
    (folder / "merges.txt").write_text("#version: 0.2\nc a\nca t</w>\n", encoding="utf-8")
    special = {"bos_token": marks[0], "eos_token": marks[1], "unk_token": marks[1], "pad_token": marks[1]}
    _write_json(
        folder / "tokenizer_config.json", {"tokenizer_class": "CLIPTokenizer", "model_max_length": 24} | special
    )
    _write_json(folder / "special_tokens_map.json", special)


def _write_json(path: Path, table: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(table, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
