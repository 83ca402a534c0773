"""Anima's layers that get an adapter: of the transformer's blocks, and on request of the text adapter before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from advisor.families.anima_structure import AnimaStructure
from advisor.families.patch_transformer import PATCH
from advisor.families.structure import LoraTarget

ATTENTION = (("q_proj", "to_q"), ("k_proj", "to_k"), ("v_proj", "to_v"), ("output_proj", "to_out.0"))
"""An attention's layers in the transformer: as the file and as diffusers call them."""
Layer = tuple[str, str, int, int]
"""(its name in a block by the file, by diffusers, inputs, outputs)."""


def anima_targets(structure: AnimaStructure, conv: bool) -> tuple[LoraTarget, ...]:  # noqa: ARG001
    """Both attentions and the MLP of each block: 280 layers of the published model."""
    return tuple(
        _target(f"blocks.{block}.{theirs}", f"transformer.transformer_blocks.{block}.{ours}", width, block=block)
        for block in range(structure.denoiser.layers)
        for theirs, ours, *width in _transformer_block(structure)
    )


def text_adapter_targets(structure: AnimaStructure) -> tuple[LoraTarget, ...]:
    """The same of the text adapter: 60 layers of the published model."""
    return tuple(
        replace(
            _target(f"llm_adapter.blocks.{block}.{name}", f"conditioner.blocks.{block}.{name}", width),
            diffusers=f"text_conditioner.blocks.{block}.{name}",
        )
        for block in range(structure.adapter.layers)
        for name, _, *width in _adapter_block(structure)
    )


def other_targets(structure: AnimaStructure) -> tuple[LoraTarget, ...]:
    """The layers that ours leave alone and some trainers adapt: modulations, embeddings, the last layers."""
    denoiser = structure.denoiser
    wide, narrow, latents = denoiser.width, denoiser.modulation_width, PATCH * denoiser.latent_channels
    ends = (
        ("x_embedder.proj.1", "patch_embed.proj", latents + PATCH, wide),
        ("t_embedder.1.linear_1", "time_embed.t_embedder.linear_1", wide, wide),
        ("t_embedder.1.linear_2", "time_embed.t_embedder.linear_2", wide, 3 * wide),
        ("final_layer.adaln_modulation.1", "norm_out.linear_1", wide, narrow),
        ("final_layer.adaln_modulation.2", "norm_out.linear_2", narrow, 2 * wide),
        ("final_layer.linear", "proj_out", wide, latents),
    )
    found = [_target(theirs, f"transformer.{ours}", widths) for theirs, ours, *widths in ends]
    last = _target(
        "llm_adapter.out_proj", "conditioner.out_proj", [structure.adapter.width, structure.adapter.target_width]
    )
    return (*modulations(structure), *found, replace(last, diffusers="text_conditioner.out_proj"))


def packed_targets(structure: AnimaStructure) -> tuple[LoraTarget, ...]:
    """What a quantised base has in fewer bits: all linear layers of the blocks (`AnimaDenoiser.kept_whole`)."""
    return anima_targets(structure, conv=False) + modulations(structure)


def modulations(structure: AnimaStructure) -> tuple[LoraTarget, ...]:
    """The layers that make each block's shifts and scales of the time."""
    wide, narrow = structure.denoiser.width, structure.denoiser.modulation_width
    return tuple(
        _target(
            f"blocks.{block}.adaln_modulation_{theirs}.{number}",
            f"transformer.transformer_blocks.{block}.norm{ours}.linear_{number}",
            [wide, narrow] if number == 1 else [narrow, 3 * wide],
            block=block,
        )
        for block in range(structure.denoiser.layers)
        for ours, theirs in enumerate(("self_attn", "cross_attn", "mlp"), start=1)
        for number in (1, 2)
    )


def with_blocks(structure: AnimaStructure, number: int) -> AnimaStructure:
    """The same with so many blocks in the transformer."""
    return replace(structure, denoiser=replace(structure.denoiser, layers=number))


def _transformer_block(structure: AnimaStructure) -> Iterator[Layer]:
    wide, mlp = structure.denoiser.width, structure.denoiser.mlp_width
    for theirs, ours, context in (
        ("self_attn", "attn1", wide),
        ("cross_attn", "attn2", structure.denoiser.text_width),
    ):
        for name, path in ATTENTION:
            yield f"{theirs}.{name}", f"{ours}.{path}", context if name in ("k_proj", "v_proj") else wide, wide
    yield "mlp.layer1", "ff.net.0.proj", wide, mlp
    yield "mlp.layer2", "ff.net.2", mlp, wide


def _adapter_block(structure: AnimaStructure) -> Iterator[Layer]:
    wide, mlp = structure.adapter.width, structure.adapter.mlp_width
    for attention, context in (("self_attn", wide), ("cross_attn", structure.adapter.source_width)):
        for letter in "qkvo":
            name = f"{attention}.{letter}_proj"
            yield name, name, context if letter in "kv" else wide, wide
    yield "mlp.0", "mlp.0", wide, mlp
    yield "mlp.2", "mlp.2", mlp, wide


def _target(original: str, path: str, widths: list[int], block: int | None = None) -> LoraTarget:
    inputs, outputs = widths
    name = f"lora_unet_{original.replace('.', '_')}"
    return LoraTarget(name, "unet", path, inputs, outputs, block=block, original=original, diffusers=path)
