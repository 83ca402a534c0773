"""Anima: a Cosmos-Predict2 transformer that reads captions with Qwen3-0.6B through an adapter of its own.

Its files are those of ComfyUI: the denoiser with the adapter (`llm_adapter.`), the text encoder, the Qwen-Image VAE.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial

from advisor.families.anima_structure import AnimaStructure, TextAdapterStructure, TransformerStructure
from advisor.families.anima_targets import (
    anima_targets,
    other_targets,
    packed_targets,
    text_adapter_targets,
    with_blocks,
)
from advisor.families.coefficients import (
    CallCoefficients,
    FlopCoefficients,
    MemoryCoefficients,
    Moment,
    StepCalls,
    StepFlops,
    StepMemory,
)
from advisor.families.family import Family
from advisor.families.language_model import LanguageStructure
from advisor.families.part_files import PartKind, SeparatePart, qwen_structure, video_vae_structure
from advisor.families.patch_transformer import MOST_TOKENS, PATCH
from advisor.families.signature import PREFIXES, Signature, Tensors, num_layers, width
from advisor.families.video_vae import VideoVaeStructure

ADAPTER = "llm_adapter."
"""What its adapter's names begin with, after the prefix."""
ADAPTER_FOLDER = "text_conditioner"
"""Where a diffusers folder has it."""
STANDARD = AnimaStructure(
    denoiser=TransformerStructure(
        latent_channels=16, width=2048, heads=16, layers=28, mlp_width=8192, text_width=1024, modulation_width=256
    ),
    adapter=TextAdapterStructure(
        source_width=1024, width=1024, heads=16, layers=6, mlp_width=4096, target_width=1024, vocab_size=32128
    ),
    text=(
        LanguageStructure(
            width=1024, layers=28, heads=16, key_value_heads=8, head_width=128, mlp_width=3072, vocab_size=151936
        ),
    ),
    vae=VideoVaeStructure(width=96, latent_channels=16),
    native_px=1024,
)
"""Anima base v1.0 with Qwen3-0.6B and the Qwen-Image VAE."""


PLAIN = StepMemory((Moment(0.0, 838_579, 131.5, unpacked=1.0, image_bytes=300_472_832),), token_bytes=408_000)
CHECKPOINTED = StepMemory(
    (
        Moment(0.0, 63_631, 4.6, unpacked=1.0, image_bytes=12_903_808),
        Moment(0.964, 36_255, unpacked=1.0, image_bytes=21_007_667),
    ),
    token_bytes=408_000,
)
"""Memory peaks at layers whose weight is formed anew: where a block's MLP begins backwards."""
MEMORY = MemoryCoefficients(
    command="python -m benchmarks.memory_grid --fit",
    plain=PLAIN,
    checkpointed=CHECKPOINTED,
    plain_quantised=PLAIN,
    checkpointed_quantised=CHECKPOINTED,
    encode_pixel_bytes=3_869,
    decode_pixel_bytes=6_924,
    read_token_bytes=28_700,
)
"""Of the published model."""

FLOPS = FlopCoefficients(
    command="python -P -m benchmarks.step_operations",
    plain=StepFlops(image=2.5084e11, pixel=1.7376e9, pixel_pair=50_176, pixel_rank=1.6773e6, text=0, text_rank=0),
    checkpointed=StepFlops(image=3.7333e11, pixel=2.5886e9, pixel_pair=64_512, pixel_rank=2.007e6, text=0, text_rank=0),
    text_forward=0,
    unrepeated_pixel=7.3e6,
    encode_pixel=6.9e6,
    decode_pixel=1.1e7,
    read_token=8.8e8,
)
"""Of the published model, too."""

CALLS = CallCoefficients(
    command="python -P -m benchmarks.step_calls",
    plain=StepCalls(denoiser=20491, text_forward=0, text_trained=0, int8=1338, nf4=11158),
    checkpointed=StepCalls(denoiser=31487, text_forward=0, text_trained=0, int8=2234, nf4=17878),
)
"""Of the published model, as well."""


def denoiser_prefix(names: Collection[str]) -> str | None:
    """What stands before the denoiser's names; None: it is not in there."""
    return next((prefix for prefix in PREFIXES if f"{prefix}{ADAPTER}embed.weight" in names), None)


def read_structure(tensors: Tensors) -> AnimaStructure | None:
    """The measures of a file that holds denoiser and adapter, with the usual text encoder and VAE.

    None: something is absent, or its layers are not numbered from 0 on.
    """
    prefix = denoiser_prefix(tensors)
    if prefix is None:
        return None
    own = {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}
    denoiser = _denoiser(own)
    adapter = _adapter({name.removeprefix(ADAPTER): one for name, one in own.items() if name.startswith(ADAPTER)})
    return _whole(denoiser, adapter)


def read_folder(parts: Mapping[str, Tensors]) -> AnimaStructure | None:
    """The measures of a diffusers folder's denoiser and adapter, with the usual text encoder and VAE; None likewise."""
    denoiser, adapter = _denoiser(parts.get("transformer", {})), _adapter(parts.get(ADAPTER_FOLDER, {}))
    return _whole(denoiser, adapter)


def read_parts(structure: AnimaStructure, parts: Mapping[PartKind, Tensors]) -> AnimaStructure:
    """The same measures with those of the text encoder and the VAE that were found."""
    text, vae = qwen_structure(parts.get("text_encoder", {})), video_vae_structure(parts.get("vae", {}))
    return replace(
        structure,
        text=structure.text if text is None else (text[1],),
        vae=structure.vae if vae is None else vae[1],
    )


def _whole(denoiser: TransformerStructure | None, adapter: TextAdapterStructure | None) -> AnimaStructure | None:
    if denoiser is None or adapter is None or adapter.target_width != denoiser.text_width:
        return None
    return AnimaStructure(denoiser, adapter, STANDARD.text, STANDARD.vae, STANDARD.native_px)


def _denoiser(own: Tensors) -> TransformerStructure | None:
    """Of tensors under the names of its own code, or under diffusers'."""
    wide = width(own, "blocks.0.self_attn.q_proj.weight|transformer_blocks.0.attn1.to_q.weight", 0)
    head = width(own, "blocks.0.self_attn.q_norm.weight|transformer_blocks.0.attn1.norm_q.weight", 0)
    mlp = width(own, "blocks.0.mlp.layer1.weight|transformer_blocks.0.ff.net.0.proj.weight", 0)
    text = width(own, "blocks.0.cross_attn.k_proj.weight|transformer_blocks.0.attn2.to_k.weight", 1)
    modulation = width(
        own, "blocks.0.adaln_modulation_self_attn.1.weight|transformer_blocks.0.norm1.linear_1.weight", 0
    )
    out = width(own, "final_layer.linear.weight|proj_out.weight", 0)
    layers = num_layers(own, "blocks.") or num_layers(own, "transformer_blocks.")
    if not (wide and head and mlp and text and modulation and out and layers) or wide % head or out % PATCH:
        return None
    return TransformerStructure(out // PATCH, wide, wide // head, layers, mlp, text, modulation)


def _adapter(own: Tensors) -> TextAdapterStructure | None:
    vocab, target = width(own, "embed.weight", 0), width(own, "embed.weight", 1)
    wide, head = width(own, "blocks.0.cross_attn.q_proj.weight", 0), width(own, "blocks.0.cross_attn.q_norm.weight", 0)
    source, mlp = width(own, "blocks.0.cross_attn.k_proj.weight", 1), width(own, "blocks.0.mlp.0.weight", 0)
    layers = num_layers(own, "blocks.")
    if not (vocab and target and wide and head and source and mlp and layers) or wide % head:
        return None
    return TextAdapterStructure(source, wide, wide // head, layers, mlp, target, vocab)


def _reads_its_captions(base: Tensors) -> Callable[[Tensors], bool]:
    whole = read_structure(base)

    def fits(other: Tensors) -> bool:
        text = qwen_structure(other)
        return whole is not None and text is not None and text[1].width == whole.adapter.source_width

    return fits


def _encodes_its_pictures(base: Tensors) -> Callable[[Tensors], bool]:
    whole = read_structure(base)

    def fits(other: Tensors) -> bool:
        vae = video_vae_structure(other)
        return whole is not None and vae is not None and vae[1].latent_channels == whole.denoiser.latent_channels

    return fits


ANIMA = Family(
    name="anima",
    title="Anima",
    native_px=STANDARD.native_px,
    trainable=True,
    signatures=(Signature(has=("blocks.0.mlp.layer1.weight", "llm_adapter.blocks.0.cross_attn.q_proj.weight")),),
    classes=("CosmosTransformer3DModel",),
    folder_parts=(ADAPTER_FOLDER,),
    version="anima",
    lora_architecture="anima/lora",
    standard=STANDARD,
    memory_coefficients=MEMORY,
    flop_coefficients=FLOPS,
    call_coefficients=CALLS,
    caption_tokens=MOST_TOKENS,
    text_before_denoiser=True,
    reads_scaled_float8=True,
    separate_parts=(
        SeparatePart("text_encoder", "qwen_3_06b_base.safetensors", 1_192_000_000, _reads_its_captions),
        SeparatePart("vae", "qwen_image_vae.safetensors", 254_000_000, _encodes_its_pictures),
    ),
    sampling_shift=3.0,
    lora_implementation="https://huggingface.co/circlestone-labs/Anima",
    lora_programs=("ComfyUI", "Forge", "SwarmUI"),
    lora_module="networks.lora_anima",
    has_convolutions=False,
    layer_names="original",
    targets=anima_targets,
    text_adapter_targets=text_adapter_targets,
    other_targets=other_targets,
    packed_targets=packed_targets,
    read_structure=read_structure,
    read_folder=read_folder,
    read_parts=read_parts,
    of_blocks=partial(with_blocks, STANDARD),
)
