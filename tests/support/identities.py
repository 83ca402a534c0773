"""Checkpoints by their tensors alone, identified."""

from __future__ import annotations

from pathlib import Path

from advisor.checkpoints.identify import identify
from advisor.checkpoints.identity import Identity
from tests.support.headers import Shapes, write_model

P = "model.diffusion_model."

FLUX = {
    "double_blocks.0.img_attn.norm.key_norm.scale": (128,),
    "vector_in.in_layer.weight": (3072, 768),
    "img_in.weight": (3072, 64),
    "txt_in.weight": (3072, 4096),
}
GUIDED = {**FLUX, "guidance_in.in_layer.weight": (3072, 256)}


def of(folder: Path, shapes: Shapes, *, name: str = "model.safetensors", **options: object) -> Identity:
    return identify(write_model(folder / name, shapes, **options))  # type: ignore[arg-type]


def without(layout: Shapes, start: str) -> dict[str, tuple[int, ...]]:
    return {name: shape for name, shape in layout.items() if not name.startswith(start)}
