"""Stable Diffusion 2.x."""

from __future__ import annotations

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
from advisor.families.lora_targets import clip_targets, diffusers_targets
from advisor.families.signature import Signature, Tensors
from advisor.families.stable_diffusion import StableDiffusionStructure, TextStructure, VaeStructure
from advisor.families.structure import LoraTarget
from advisor.families.unet import UNetStructure

STANDARD = StableDiffusionStructure(
    unet=UNetStructure(
        in_channels=4,
        out_channels=4,
        block_out_channels=(320, 640, 1280, 1280),
        transformer_depth=(1, 1, 1, 0),
        layers_per_block=2,
        cross_attention_dim=1024,
        heads=(5, 10, 20, 20),
        linear_projection=True,
    ),
    text=(
        TextStructure(
            width=1024, layers=23, heads=16, mlp_width=4096, vocab_size=49408, max_positions=77, activation="gelu"
        ),
    ),
    vae=VaeStructure(block_out_channels=(128, 256, 512, 512), latent_channels=4, layers_per_block=2),
    native_px=768,
)
"""SD2.1. The text encoder has 24 blocks in the file, and the last one is never used."""

PREDICTION_TENSOR = "output_blocks.11.1.transformer_blocks.0.norm1.bias"
"""The headers of the 512 (epsilon) and the 768 (v) model are identical; the spread of these values is not."""
V_SPREAD = 0.09
"""A standard deviation above this means v-prediction."""

MEMORY = MemoryCoefficients(
    command="python -m benchmarks.memory_grid --fit",
    plain=StepMemory((Moment(0.0, 227_327, 128.8),), token_bytes=764_408),
    checkpointed=StepMemory((Moment(0.0, 57_639, 38.4), Moment(0.95, 29_975)), token_bytes=49_159),
    plain_quantised=StepMemory((Moment(0.0, 209_687, 128.8),), token_bytes=764_408),
    checkpointed_quantised=StepMemory(
        (Moment(0.0, 54_359, 38.4), Moment(0.44, 18_132, unpacked=1.0), Moment(0.95, 29_975)),
        token_bytes=49_159,
    ),
    encode_pixel_bytes=2_572,
    decode_pixel_bytes=3_072,
    saved_by_first=(0.225, 0.344, 0.404, 0.406, 0.414, 0.419, 0.515, 0.708, 1.0),
)
"""Of the published model."""

FLOPS = FlopCoefficients(
    command="python -m benchmarks.step_operations",
    plain=StepFlops(
        image=4.7222e9,
        pixel=3.2815e8,
        pixel_pair=25_554,
        pixel_rank=4.1729e5,
        text=9.4544e10,
        text_rank=1.6322e8,
    ),
    checkpointed=StepFlops(
        image=8.8673e9,
        pixel=4.534e8,
        pixel_pair=32_856,
        pixel_rank=4.8056e5,
        text=1.3967e11,
        text_rank=1.9586e8,
    ),
    text_forward=4.5127e10,
    unrepeated_pixel=4.055e7,
)
"""Of the published model, too."""

CALLS = CallCoefficients(
    command="python -P -m benchmarks.step_calls",
    plain=StepCalls(denoiser=9680, text_forward=905, text_trained=6289, int8=1122, nf4=7570),
    checkpointed=StepCalls(denoiser=14150, text_forward=905, text_trained=9703, int8=1502, nf4=10902),
)
"""Of the published model, as well."""


def _targets(structure: StableDiffusionStructure, conv: bool) -> tuple[LoraTarget, ...]:
    return clip_targets(structure.text[0], "lora_te") + diffusers_targets(structure.unet, conv=conv)


def _structure(tensors: Tensors) -> StableDiffusionStructure | None:
    return ldm_structure(
        tensors, STANDARD, text_at=(TextPlace("cond_stage_model.model.", unused_layers=1),), unet_heads=heads_of_64
    )


SD2 = Family(
    name="sd2",
    title="SD2.x",
    native_px=768,
    prediction="v_prediction",
    fixed_prediction=False,
    trainable=True,
    signatures=(
        Signature(
            has=("input_blocks.0.0.weight", "*.attn2.to_k.weight"),
            lacks=("label_emb.0.0.weight",),
            shapes={"*.proj_in.weight": (None, None)},
        ),
        Signature(
            has=("input_blocks.0.0.weight", "label_emb.0.0.weight"),
            lacks=(VIDEO,),
            shapes={"*.attn2.to_k.weight": (None, 1024), "*.proj_in.weight": (None, None)},
            variant="unclip",
        ),
        Signature(
            has=("conv_in.weight", "down_blocks.*", "*.attn2.to_k.weight"),
            lacks=("add_embedding.linear_1.weight",),
            shapes={"*.attentions.0.proj_in.weight": (None, None)},
        ),
    ),
    standard=STANDARD,
    memory_coefficients=MEMORY,
    flop_coefficients=FLOPS,
    call_coefficients=CALLS,
    version="sd_v2",
    v_version="sd_v2_v",
    lora_architecture="stable-diffusion-v2-512/lora",
    v_lora_architecture="stable-diffusion-v2-768-v/lora",
    targets=_targets,
    read_structure=_structure,
    read_variant=unet_variant,
)
