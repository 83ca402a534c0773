"""Stable Diffusion XL: the base model and its descendants, the distilled ones, and the refiner."""

from __future__ import annotations

import re

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
from advisor.families.ldm import VIDEO, TextPlace, heads_of_64, ldm_structure, unet_variant
from advisor.families.lora_targets import clip_targets, ldm_targets
from advisor.families.signature import Signature, Tensors, width
from advisor.families.stable_diffusion import StableDiffusionStructure, TextStructure, VaeStructure
from advisor.families.structure import LoraTarget
from advisor.families.unet import UNetStructure

STANDARD = StableDiffusionStructure(
    unet=UNetStructure(
        in_channels=4,
        out_channels=4,
        block_out_channels=(320, 640, 1280),
        transformer_depth=(0, 2, 10),
        layers_per_block=2,
        cross_attention_dim=2048,
        heads=(5, 10, 20),
        linear_projection=True,
    ),
    text=(
        TextStructure(width=768, layers=12, heads=12, mlp_width=3072, vocab_size=49408, max_positions=77),
        TextStructure(
            width=1280,
            layers=32,
            heads=20,
            mlp_width=5120,
            vocab_size=49408,
            max_positions=77,
            activation="gelu",
            projection=1280,
        ),
    ),
    vae=VaeStructure(
        block_out_channels=(128, 256, 512, 512), latent_channels=4, layers_per_block=2, scaling_factor=0.13025
    ),
    native_px=1024,
)
"""SDXL 1.0 base."""

DISTILLED = {4: "ssd-1b", 2: "vega", 5: "koala", 6: "koala"}
"""Transformer blocks of the deepest stack, which has 10 in the base model."""
_BLOCK = re.compile(r"\.transformer_blocks\.(\d+)\.")

MEMORY = MemoryCoefficients(
    command="python -m benchmarks.memory_grid --fit",
    plain=StepMemory((Moment(0.0, 414_199, 107.8),), token_bytes=3_124_237),
    checkpointed=StepMemory((Moment(0.0, 38_580, 6.5), Moment(0.97, 15_095)), token_bytes=1_038_524),
    plain_quantised=StepMemory((Moment(0.0, 399_319, 107.8),), token_bytes=3_124_237),
    checkpointed_quantised=StepMemory(
        (Moment(0.0, 36_103, 6.5), Moment(0.0, 20_806, unpacked=1.0), Moment(0.97, 15_095)),
        token_bytes=1_038_524,
    ),
    encode_pixel_bytes=2_572,
    decode_pixel_bytes=3_072,
    saved_by_first=(0.0, 0.097, 0.332, 0.45, 0.807, 0.964, 1.0),
)
"""Of the published model."""

FLOPS = FlopCoefficients(
    command="python -m benchmarks.step_operations",
    plain=StepFlops(
        image=5.841e10,
        pixel=7.1778e8,
        pixel_pair=9_800,
        pixel_rank=8.7685e5,
        text=3.1048e11,
        text_rank=3.424e8,
    ),
    checkpointed=StepFlops(
        image=1.1233e11,
        pixel=1.0374e9,
        pixel_pair=12_600,
        pixel_rank=1.0284e6,
        text=4.4696e11,
        text_rank=4.1088e8,
    ),
    text_forward=1.10053e11,
    unrepeated_pixel=4.38e7,
)
"""Of the published model, too."""

CALLS = CallCoefficients(
    command="python -P -m benchmarks.step_calls",
    plain=StepCalls(denoiser=33210, text_forward=1724, text_trained=12367, int8=2902, nf4=20178),
    checkpointed=StepCalls(denoiser=50899, text_forward=1724, text_trained=19051, int8=4341, nf4=30753),
)
"""Of the published model, as well."""


def _targets(structure: StableDiffusionStructure, conv: bool) -> tuple[LoraTarget, ...]:
    first, second = structure.text
    return (
        clip_targets(first, "lora_te1")
        + clip_targets(second, "lora_te2", "text_encoder_2")
        + ldm_targets(structure.unet, conv=conv)
    )


def _structure(tensors: Tensors) -> StableDiffusionStructure | None:
    places = (TextPlace("conditioner.embedders.0.transformer."), TextPlace("conditioner.embedders.1.model."))
    return ldm_structure(tensors, STANDARD, text_at=places, unet_heads=heads_of_64)


def _variant(tensors: Tensors) -> str | None:
    """Inpainting and the like by the inputs; the distilled ones, which keep SDXL's widths, by their depth."""
    by_inputs = unet_variant(tensors)
    if by_inputs is not None or width(tensors, "*.attn2.to_k.weight", 1) != STANDARD.unet.cross_attention_dim:
        return by_inputs
    depth = 1 + max((int(found[1]) for name in tensors if (found := _BLOCK.search(name))), default=-1)
    return DISTILLED.get(depth)


SDXL = Family(
    name="sdxl",
    title="SDXL",
    prediction="epsilon",
    fixed_prediction=False,
    trainable=True,
    signatures=(
        Signature(has=("input_blocks.0.0.weight", "label_emb.0.0.weight", "*.attn2.to_k.weight"), lacks=(VIDEO,)),
        Signature(has=("conv_in.weight", "down_blocks.*", "add_embedding.linear_1.weight")),
    ),
    standard=STANDARD,
    memory_coefficients=MEMORY,
    flop_coefficients=FLOPS,
    call_coefficients=CALLS,
    version="sdxl_base_v1-0",
    lora_architecture="stable-diffusion-xl-v1-base/lora",
    num_text_encoders=2,
    middle_blocks=3,
    targets=_targets,
    read_structure=_structure,
    read_variant=_variant,
)

SDXL_REFINER = Family(
    name="sdxl_refiner",
    title="the SDXL refiner",
    prediction="epsilon",
    fixed_prediction=False,
    signatures=(
        Signature(
            has=("input_blocks.0.0.weight",),
            shapes={"label_emb.0.0.weight": (1536, 2560), "*.attn2.to_k.weight": (None, 1280)},
        ),
        Signature(
            has=("conv_in.weight", "down_blocks.*"),
            shapes={"add_embedding.linear_1.weight": (1536, 2560), "*.attn2.to_k.weight": (None, 1280)},
        ),
    ),
)
