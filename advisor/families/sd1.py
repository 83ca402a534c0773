"""Stable Diffusion 1.x and its descendants."""

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
from advisor.families.ldm import TextPlace, ldm_structure, unet_variant
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
        cross_attention_dim=768,
        heads=(8, 8, 8, 8),
    ),
    text=(TextStructure(width=768, layers=12, heads=12, mlp_width=3072, vocab_size=49408, max_positions=77),),
    vae=VaeStructure(block_out_channels=(128, 256, 512, 512), latent_channels=4, layers_per_block=2),
    native_px=512,
)
"""SD1.5."""

MEMORY = MemoryCoefficients(
    command="python -m benchmarks.memory_grid --fit",
    plain=StepMemory((Moment(0.0, 227_952, 128.8),), token_bytes=374_046),
    checkpointed=StepMemory((Moment(0.0, 57_691, 38.4), Moment(0.95, 29_975)), token_bytes=19_975),
    plain_quantised=StepMemory((Moment(0.0, 210_312, 128.8),), token_bytes=374_046),
    checkpointed_quantised=StepMemory(
        (Moment(0.0, 54_411, 38.4), Moment(0.44, 18_132, unpacked=1.0), Moment(0.95, 29_975)),
        token_bytes=19_975,
    ),
    encode_pixel_bytes=2_572,
    decode_pixel_bytes=3_072,
    saved_by_first=(0.225, 0.344, 0.404, 0.406, 0.414, 0.419, 0.515, 0.708, 1.0),
)
"""Of the published model."""

FLOPS = FlopCoefficients(
    command="python -m benchmarks.step_operations",
    plain=StepFlops(
        image=3.6171e9,
        pixel=3.2818e8,
        pixel_pair=25_554,
        pixel_rank=4.3829e5,
        text=2.9604e10,
        text_rank=6.3867e7,
    ),
    checkpointed=StepFlops(
        image=6.7378e9,
        pixel=4.5344e8,
        pixel_pair=32_856,
        pixel_rank=5.0125e5,
        text=4.2903e10,
        text_rank=7.664e7,
    ),
    text_forward=1.3299e10,
    unrepeated_pixel=4.09e7,
)
"""Of the published model, too."""

CALLS = CallCoefficients(
    command="python -P -m benchmarks.step_calls",
    plain=StepCalls(denoiser=8900, text_forward=500, text_trained=3437, int8=1122, nf4=7570),
    checkpointed=StepCalls(denoiser=13370, text_forward=500, text_trained=5293, int8=1502, nf4=10902),
)
"""Of the published model, as well."""


def _targets(structure: StableDiffusionStructure, conv: bool) -> tuple[LoraTarget, ...]:
    return clip_targets(structure.text[0], "lora_te") + diffusers_targets(structure.unet, conv=conv)


def _structure(tensors: Tensors) -> StableDiffusionStructure | None:
    return ldm_structure(
        tensors, STANDARD, text_at=(TextPlace("cond_stage_model.transformer."),), unet_heads=lambda _: 8
    )


SD1 = Family(
    name="sd1",
    title="SD1.x",
    native_px=512,
    prediction="epsilon",
    fixed_prediction=False,
    trainable=True,
    signatures=(
        Signature(
            has=("input_blocks.0.0.weight", "*.attn2.to_k.weight"),
            lacks=("label_emb.0.0.weight",),
            shapes={"*.proj_in.weight": (None, None, 1, 1)},
        ),
        Signature(
            has=("conv_in.weight", "down_blocks.*", "*.attn2.to_k.weight"),
            lacks=("add_embedding.linear_1.weight",),
            shapes={"*.attentions.0.proj_in.weight": (None, None, 1, 1)},
        ),
    ),
    standard=STANDARD,
    memory_coefficients=MEMORY,
    flop_coefficients=FLOPS,
    call_coefficients=CALLS,
    version="sd_v1",
    v_version="sd_v1_v",
    lora_architecture="stable-diffusion-v1/lora",
    targets=_targets,
    read_structure=_structure,
    read_variant=unet_variant,
)
