"""Writes a full-size SD1.5 checkpoint of random weights, as public ones are laid out: for trying whole runs and timing.

    python -m benchmarks.make_checkpoint PATH.safetensors

float16, 2.13 GB, 1131 tensors (686 U-Net, 248 VAE, 197 text encoder). The weights are small enough for finite outputs
in float16; they know nothing.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from advisor.families import family
from advisor.files import replacing
from trainer.clip_text import text_root
from trainer.families.sd1 import LAYOUT, Sd1
from trainer.ldm_keys import unet_key, vae_key

Shape = tuple[int, ...]
SPREAD = 0.8
"""Standard deviation of a layer's outputs for inputs of 1: a little shrinking keeps deep stacks finite."""


def main() -> None:
    """Write the file that the command line names."""
    parser = argparse.ArgumentParser(description="A full-size SD1.5 checkpoint of random weights")
    parser.add_argument("path", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    write_checkpoint(arguments.path, seed=arguments.seed)
    print(f"{arguments.path}: {arguments.path.stat().st_size:,} bytes")


def write_checkpoint(path: Path, *, seed: int = 0) -> None:
    """Tensor after tensor, so that no more than one is in memory."""
    shapes = checkpoint_shapes()
    positions = f"{LAYOUT.text[0][0]}embeddings.position_ids"
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [start, end]}
    places = torch.arange(77)
    header[positions] = {"dtype": "I64", "shape": [1, 77], "data_offsets": [end, end + 8 * 77]}
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    generator = torch.Generator().manual_seed(seed)
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        for name, shape in shapes.items():
            file.write(random_weight(name, shape, generator).numpy().tobytes())
        file.write(places.numpy().tobytes())


def checkpoint_shapes() -> dict[str, Shape]:
    """Every weight's name in a single file and its shape there."""
    structure = family("sd1").standard
    assert structure is not None
    base = Sd1().build(structure, dtype=torch.float16, vae_dtype=torch.float16, device=torch.device("meta"))
    shapes = {LAYOUT.unet + unet_key(key, structure.unet): shape for key, shape in _shapes(base.denoiser)}
    for key, shape in _shapes(base.vae):
        name = LAYOUT.vae + vae_key(key, structure.vae)
        is_square = ".mid.attn_1." in name and len(shape) == 2
        shapes[name] = (*shape, 1, 1) if is_square else shape
    return shapes | {LAYOUT.text[0][0] + key: shape for key, shape in _shapes(text_root(base.text_encoders[0]))}


def random_weight(name: str, shape: Shape, generator: torch.Generator) -> Tensor:
    """Norms near 1, biases near 0, all else scaled by its inputs."""
    noise = torch.randn(shape, generator=generator)
    if len(shape) == 1:
        is_scale = name.endswith("weight")
        return (0.02 * noise + (1.0 if is_scale else 0.0)).half()
    if "embedding" in name:
        return (0.02 * noise).half()
    return (SPREAD / math.sqrt(math.prod(shape[1:])) * noise).half()


def _shapes(network: nn.Module) -> Iterator[tuple[str, Shape]]:
    for key, weight in network.state_dict().items():
        yield key, tuple(weight.shape)


if __name__ == "__main__":
    main()
