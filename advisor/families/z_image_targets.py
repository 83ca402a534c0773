"""Z-Image's layers that get an adapter: of the blocks of the one sequence."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.families.patch_transformer import PATCH
from advisor.families.structure import LoraTarget
from advisor.families.z_image_structure import TIME_MLP, TIME_WAVES, ZImageStructure

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
"""An attention's layers. Single files have the first three as one (`qkv`), LoRA files have them apart."""


def z_image_targets(structure: ZImageStructure, conv: bool) -> tuple[LoraTarget, ...]:  # noqa: ARG001
    """Attention and MLP of each block: 210 layers of the published model."""
    return tuple(
        target
        for block in range(structure.denoiser.layers)
        for target in _block(structure, f"layers.{block}", block=block)
    )


def other_targets(structure: ZImageStructure) -> tuple[LoraTarget, ...]:
    """The layers that ours leave alone and some trainers adapt: refiners, modulations, embeddings, the last layers."""
    own = structure.denoiser
    wide, time, latents = own.width, own.time_width, PATCH * own.latent_channels
    ends = (
        _target("all_x_embedder.2-1", latents, wide),
        _target("all_final_layer.2-1.linear", wide, latents),
        _target("all_final_layer.2-1.adaLN_modulation.1", time, wide),
        _target("t_embedder.mlp.0", TIME_WAVES, TIME_MLP),
        _target("t_embedder.mlp.2", TIME_MLP, time),
        _target("cap_embedder.1", own.text_width, wide),
    )
    return (*_refiners(structure), *_modulations(structure), *ends)


def packed_targets(structure: ZImageStructure) -> tuple[LoraTarget, ...]:
    """What a quantised base has in fewer bits: attention and MLP of every block (`ZImageDenoiser.kept_whole`)."""
    return (*z_image_targets(structure, conv=False), *_refiners(structure))


def _refiners(structure: ZImageStructure) -> Iterator[LoraTarget]:
    """Those of the blocks that picture and caption go through alone."""
    for kind in ("noise_refiner", "context_refiner"):
        for block in range(structure.denoiser.refiners):
            yield from _block(structure, f"{kind}.{block}")


def _modulations(structure: ZImageStructure) -> Iterator[LoraTarget]:
    """The layers that make each block's scales and gates of the time."""
    own = structure.denoiser
    for kind, number in (("noise_refiner", own.refiners), ("layers", own.layers)):
        for block in range(number):
            place = block if kind == "layers" else None
            yield _target(f"{kind}.{block}.adaLN_modulation.0", own.time_width, 4 * own.width, block=place)


def _block(structure: ZImageStructure, start: str, block: int | None = None) -> Iterator[LoraTarget]:
    wide, mlp = structure.denoiser.width, structure.denoiser.mlp_width
    for number, name in enumerate(ATTENTION):
        fused = ("qkv", number, 3) if number < 3 else ("out", 0, 1)
        yield _target(f"{start}.attention.{name}", wide, wide, block=block, fused=fused)
    yield _target(f"{start}.feed_forward.w1", wide, mlp, block=block)
    yield _target(f"{start}.feed_forward.w2", mlp, wide, block=block)
    yield _target(f"{start}.feed_forward.w3", wide, mlp, block=block)


def _target(
    name: str, inputs: int, outputs: int, block: int | None = None, fused: tuple[str, int, int] | None = None
) -> LoraTarget:
    """A layer.

    Args:
        fused: where it is in single files, in the attention that it is of.
    """
    path = f"transformer.{name}"
    kohya = f"lora_unet_{name.replace('.', '_')}"
    in_file = None if fused is None else (f"{name.partition('.to_')[0]}.{fused[0]}", *fused[1:])
    return LoraTarget(kohya, "unet", path, inputs, outputs, block=block, original=name, diffusers=path, in_file=in_file)
