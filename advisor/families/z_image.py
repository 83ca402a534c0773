"""Z-Image: one stream of picture and text, which reads captions with Qwen3-4B.

Its files are those of ComfyUI (the denoiser with each attention's queries, keys and values as one weight, the text
encoder, FLUX.1's VAE) or diffusers' folder. Turbo, which is distilled from it, has the same layers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from advisor.families.coefficients import (
    CallCoefficients,
    FlopCoefficients,
    MemoryCoefficients,
    Moment,
    StepCalls,
    StepFlops,
    StepMemory,
)
from advisor.families.family import Distilled, Family
from advisor.families.language_model import LanguageStructure, LinearLayers
from advisor.families.part_files import PartKind, SeparatePart, image_vae_structure, qwen_structure
from advisor.families.patch_transformer import MOST_TOKENS, PATCH
from advisor.families.signature import PREFIXES, Signature, Tensors, num_layers, width
from advisor.families.stable_diffusion import VaeStructure
from advisor.families.z_image_structure import SingleStreamStructure, ZImageStructure
from advisor.families.z_image_targets import other_targets, packed_targets, z_image_targets

CAPTION = "cap_embedder.1.weight"
"""A layer that each of its files has, whatever the layout."""
PAD = "cap_pad_token"
"""What captions are filled up with; Lumina Image 2, whose layers it shares, has none."""
STANDARD = ZImageStructure(
    denoiser=SingleStreamStructure(latent_channels=16, width=3840, heads=30, layers=30, refiners=2, text_width=2560),
    text=(
        LanguageStructure(
            width=2560, layers=36, heads=32, key_value_heads=8, head_width=128, mlp_width=9728, vocab_size=151936,
            unread_layers=1,
        ),
    ),
    vae=VaeStructure(
        block_out_channels=(128, 256, 512, 512), latent_channels=16, layers_per_block=2, scaling_factor=0.3611,
        shift_factor=0.1159, quant_conv=False,
    ),
    native_px=1024,
)  # fmt: skip
"""Z-Image with Qwen3-4B, whose last layer it does not use, and FLUX.1's VAE."""

PLAIN = StepMemory((Moment(0.0, 2_009_601, 157.5, unpacked=1.0, image_bytes=4_129_842_176),), token_bytes=0)
CHECKPOINTED = StepMemory((Moment(0.0, 139_728, 3.9, unpacked=1.0, image_bytes=289_148_288),), token_bytes=0)
MEMORY = MemoryCoefficients(
    command="python -m benchmarks.memory_grid --fit",
    plain=PLAIN,
    checkpointed=CHECKPOINTED,
    plain_quantised=PLAIN,
    checkpointed_quantised=CHECKPOINTED,
    encode_pixel_bytes=2_572,
    decode_pixel_bytes=3_072,
    read_token_bytes=60_400,
)
"""Of the published model, with captions of 512 tokens."""

FLOPS = FlopCoefficients(
    command="python -P -m benchmarks.step_operations",
    plain=StepFlops(image=1.1774e13, pixel=5.8415e9, pixel_pair=102_720, pixel_rank=3.2832e6, text=0, text_rank=0),
    checkpointed=StepFlops(
        image=1.7363e13, pixel=8.6057e9, pixel_pair=131_520, pixel_rank=4.032e6, text=0, text_rank=0
    ),
    text_forward=0,
    unrepeated_pixel=2.1e8,
    read_token=7.1e9,
)
"""Of the published model, too."""

CALLS = CallCoefficients(
    command="python -P -m benchmarks.step_calls",
    plain=StepCalls(denoiser=13586, text_forward=0, text_trained=0, int8=890, nf4=25358),
    checkpointed=StepCalls(denoiser=21554, text_forward=0, text_trained=0, int8=1310, nf4=37298),
)
"""Of the published model, as well."""


def denoiser_prefix(tensors: Tensors) -> str | None:
    """What stands before the denoiser's names; None: it is not in there."""
    return next((prefix for prefix in PREFIXES if {f"{prefix}{PAD}", f"{prefix}{CAPTION}"} <= tensors.keys()), None)


def read_structure(tensors: Tensors) -> ZImageStructure | None:
    """The measures of a file that holds the denoiser, with the usual text encoder and VAE.

    None: something is absent, or its layers are not numbered from 0 on.
    """
    prefix = denoiser_prefix(tensors)
    if prefix is None:
        return None
    own = {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}
    denoiser = _denoiser(own)
    return None if denoiser is None else replace(STANDARD, denoiser=denoiser)


def read_folder(parts: Mapping[str, Tensors]) -> ZImageStructure | None:
    """The measures of a diffusers folder's denoiser, with the usual text encoder and VAE; None likewise."""
    denoiser = _denoiser(parts.get("transformer", {}))
    return None if denoiser is None else replace(STANDARD, denoiser=denoiser)


def read_parts(structure: ZImageStructure, parts: Mapping[PartKind, Tensors]) -> ZImageStructure:
    """The same measures with those of the text encoder and the VAE that were found."""
    text, vae = text_structure(parts.get("text_encoder", {})), vae_structure(parts.get("vae", {}))
    return replace(
        structure,
        text=structure.text if text is None else (text[1],),
        vae=structure.vae if vae is None else vae[1],
    )


def text_structure(tensors: Tensors) -> tuple[str, LanguageStructure] | None:
    """The prefix and the measures of the Qwen3 that captions are read with; None: there is none."""
    found = qwen_structure(tensors)
    return None if found is None else (found[0], replace(found[1], unread_layers=STANDARD.text[0].unread_layers))


def vae_structure(tensors: Tensors) -> tuple[str, VaeStructure] | None:
    """The prefix and the measures of a VAE like FLUX.1's, scaled as that one is; None: there is none."""
    found = image_vae_structure(tensors)
    if found is None or found[1].quant_conv:
        return None
    usual = STANDARD.vae
    return found[0], replace(found[1], scaling_factor=usual.scaling_factor, shift_factor=usual.shift_factor)


def _denoiser(own: Tensors) -> SingleStreamStructure | None:
    """Of tensors under the names of single files, or under diffusers'."""
    wide, text = width(own, CAPTION, 0), width(own, CAPTION, 1)
    head = width(own, "layers.0.attention.q_norm.weight|layers.0.attention.norm_q.weight", 0)
    out = width(own, "final_layer.linear.weight|all_final_layer.2-1.linear.weight", 0)
    mlp = width(own, "layers.0.feed_forward.w1.weight", 0)
    layers, refiners = num_layers(own, "layers."), num_layers(own, "noise_refiner.")
    if not (wide and text and head and out and mlp and layers) or wide % head or out % PATCH or head % 16:
        return None
    found = SingleStreamStructure(out // PATCH, wide, wide // head, layers, refiners, text)
    return found if mlp == found.mlp_width and num_layers(own, "context_refiner.") == refiners else None


def _reads_its_captions(base: Tensors) -> Callable[[Tensors], bool]:
    whole = read_structure(base)

    def fits(other: Tensors) -> bool:
        text = text_structure(other)
        return whole is not None and text is not None and text[1].width == whole.denoiser.text_width

    return fits


def _encodes_its_pictures(base: Tensors) -> Callable[[Tensors], bool]:
    whole = read_structure(base)

    def fits(other: Tensors) -> bool:
        vae = vae_structure(other)
        return whole is not None and vae is not None and vae[1].latent_channels == whole.denoiser.latent_channels

    return fits


def _with_blocks(number: int) -> ZImageStructure:
    return replace(STANDARD, denoiser=replace(STANDARD.denoiser, layers=number))


def _text_layers(structure: ZImageStructure) -> LinearLayers:
    (text,) = structure.text
    return text.linear_layers


Z_IMAGE = Family(
    name="z_image",
    title="Z-Image",
    native_px=STANDARD.native_px,
    trainable=True,
    signatures=(
        Signature(has=(PAD, CAPTION, "siglip_embedder.*"), variant="omni"),
        Signature(has=("noise_refiner.0.attention.k_norm.weight", PAD, CAPTION)),
        Signature(has=(PAD, "all_x_embedder.2-1.weight")),
    ),
    classes=("ZImageTransformer2DModel",),
    distilled=Distilled(
        "Turbo",
        r"(?<!de)(?<!de[ _-])turbo",
        steps=8,
        scheduler_shift=3.0,
        base_file="z_image_bf16.safetensors",
    ),
    version="z_image",
    lora_architecture="Z-Image/lora",
    standard=STANDARD,
    memory_coefficients=MEMORY,
    flop_coefficients=FLOPS,
    call_coefficients=CALLS,
    caption_tokens=MOST_TOKENS,
    text_before_denoiser=True,
    quantised_text=_text_layers,
    reads_scaled_float8=True,
    separate_parts=(
        SeparatePart("text_encoder", "qwen_3_4b.safetensors", 8_045_000_000, _reads_its_captions),
        SeparatePart("vae", "ae.safetensors", 335_300_000, _encodes_its_pictures),
    ),
    sampling_shift=3.0,
    lora_implementation="https://github.com/Tongyi-MAI/Z-Image",
    lora_programs=("ComfyUI", "SwarmUI"),
    lora_module="networks.lora_zimage",
    has_convolutions=False,
    layer_names="original",
    targets=z_image_targets,
    other_targets=other_targets,
    packed_targets=packed_targets,
    read_structure=read_structure,
    read_folder=read_folder,
    read_parts=read_parts,
    of_blocks=_with_blocks,
)
