"""Writes a full-size checkpoint of random weights, as public ones are laid out: for trying whole runs and timing.

    python -m benchmarks.make_checkpoint PATH.safetensors                    SD1.5: 2.13 GB, 1131 tensors
    python -m benchmarks.make_checkpoint PATH.safetensors --family sdxl      SDXL: 6.94 GB, 2515 tensors
    python -m benchmarks.make_checkpoint PATH.safetensors --family sd2       SD2.1: 2.61 GB, 1228 tensors

All of it is float16. The weights are small enough for finite outputs in float16; they know nothing.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from advisor.families import family
from advisor.families.stable_diffusion import StableDiffusionStructure
from advisor.files import replacing
from trainer.models.clip_text import text_root
from trainer.models.families.sdxl import Sdxl
from trainer.models.families.stable_diffusion import Sd1, Sd2
from trainer.models.families.unet_family import UNetFamily
from trainer.models.ldm_keys import unet_key, vae_key
from trainer.models.open_clip_keys import BLOCKS, open_clip_source

Shape = tuple[int, ...]
FAMILIES: Mapping[str, UNetFamily] = {known.name: known for known in (Sd1(), Sd2(), Sdxl())}
OPEN_CLIP_LAYERS = {"sd2": 24, "sdxl": 32}
"""Of the text encoder in OpenCLIP's layout, as published."""
SPREAD = 0.8
"""Standard deviation of a layer's outputs for inputs of 1: a little shrinking keeps deep stacks finite."""


def main() -> None:
    """Write the file that the command line names."""
    parser = argparse.ArgumentParser(description="A full-size checkpoint of random weights")
    parser.add_argument("path", type=Path)
    parser.add_argument("--family", choices=sorted(FAMILIES), default="sd1")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    write_checkpoint(arguments.path, arguments.family, seed=arguments.seed)
    print(f"{arguments.path}: {arguments.path.stat().st_size:,} bytes")


def write_checkpoint(path: Path, family_name: str = "sd1", *, seed: int = 0) -> None:
    """Tensor after tensor, so that no more than one is in memory."""
    shapes = checkpoint_shapes(family_name)
    layout = FAMILIES[family_name].layout
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [start, end]}
    places = torch.arange(77)
    if not layout.open_clip[0]:
        positions = f"{layout.text[0][0]}embeddings.position_ids"
        header[positions] = {"dtype": "I64", "shape": [1, 77], "data_offsets": [end, end + 8 * 77]}
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    generator = torch.Generator().manual_seed(seed)
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        for name, shape in shapes.items():
            file.write(random_weight(name, shape, generator).numpy().tobytes())
        if not layout.open_clip[0]:
            file.write(places.numpy().tobytes())


def checkpoint_shapes(family_name: str = "sd1") -> dict[str, Shape]:
    """Every weight's name in a single file and its shape there."""
    known, structure = FAMILIES[family_name], family(family_name).standard
    assert isinstance(structure, StableDiffusionStructure)
    layout = known.layout
    base = known.build(structure, dtype=torch.float16, vae_dtype=torch.float16, device=torch.device("meta"))
    shapes = {layout.unet + unet_key(key, structure.unet): shape for key, shape in _shapes(base.denoiser)}
    for key, shape in _shapes(base.vae):
        name = layout.vae + vae_key(key, structure.vae)
        is_square = ".mid.attn_1." in name and len(shape) == 2
        shapes[name] = (*shape, 1, 1) if is_square else shape
    for encoder, prefixes, is_open_clip in zip(base.text_encoders, layout.text, layout.open_clip, strict=True):
        own = dict(_shapes(text_root(encoder)))
        if is_open_clip:
            own = open_clip_shapes(own, num_layers=OPEN_CLIP_LAYERS[family_name])
        shapes |= {prefixes[0] + key: shape for key, shape in own.items()}
    return shapes


def open_clip_shapes(shapes: Mapping[str, Shape], *, num_layers: int) -> dict[str, Shape]:
    """A text encoder's weights in OpenCLIP's layout, with the last layer that SD2 has and does not use."""
    found: dict[str, Shape] = {}
    for key, shape in shapes.items():
        source = open_clip_source(key, "", ())
        found[source.name] = (source.parts * shape[0], *shape[1:])
    first = {name: shape for name, shape in found.items() if name.startswith(f"{BLOCKS}0.")}
    for layer in range(num_layers):
        found |= {name.replace(f"{BLOCKS}0.", f"{BLOCKS}{layer}."): shape for name, shape in first.items()}
    width = found["ln_final.weight"][0]
    return found | {"text_projection": (width, width), "logit_scale": ()}


def random_weight(name: str, shape: Shape, generator: torch.Generator) -> Tensor:
    """Norms near 1, biases near 0, all else scaled by its inputs."""
    noise = torch.randn(shape, generator=generator)
    if len(shape) < 2:
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
