"""The targets' paths and widths, held against the modules that diffusers and transformers build (no weights: meta)."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import pytest

from advisor.families import family
from advisor.families.sd1 import STANDARD as SD1
from advisor.families.sd2 import STANDARD as SD2
from advisor.families.sdxl import STANDARD as SDXL
from advisor.families.stable_diffusion import StableDiffusionStructure
from advisor.families.structure import LoraTarget
from advisor.families.unet import UNetStructure
from tests.advisor.families.test_lora_targets import SMALL


def unet_modules(unet: UNetStructure) -> dict[str, Any]:
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from diffusers import UNet2DConditionModel

    attends = [bool(depth) for depth in unet.transformer_depth]
    with torch.device("meta"):
        model = UNet2DConditionModel(
            in_channels=unet.in_channels,
            out_channels=unet.out_channels,
            block_out_channels=unet.block_out_channels,
            down_block_types=tuple("CrossAttnDownBlock2D" if one else "DownBlock2D" for one in attends),
            up_block_types=tuple("CrossAttnUpBlock2D" if one else "UpBlock2D" for one in reversed(attends)),
            mid_block_type="UNetMidBlock2DCrossAttn" if unet.mid_attention else "UNetMidBlock2D",
            transformer_layers_per_block=tuple(depth or 1 for depth in unet.transformer_depth),
            layers_per_block=unet.layers_per_block,
            cross_attention_dim=unet.cross_attention_dim,
            attention_head_dim=unet.heads,
            norm_num_groups=unet.norm_groups,
            use_linear_projection=unet.linear_projection,
        )
    return dict(model.named_modules())


def measures(module: Any) -> tuple[int, int, int]:
    shape = module.weight.shape
    return shape[1], shape[0], shape[2] if len(shape) == 4 else 0


STANDARDS = {"sd1": SD1, "sd2": SD2, "sdxl": SDXL}
CASES: list[tuple[str, StableDiffusionStructure]] = [
    *STANDARDS.items(),
    ("sd1", SMALL),
    ("sd1", replace(SMALL, unet=replace(SMALL.unet, mid_attention=False))),
]


@pytest.mark.parametrize(("name", "structure"), CASES)
def test_every_layer_of_the_denoiser_is_found_and_none_is_left_out(
    name: str, structure: StableDiffusionStructure
) -> None:
    modules = unet_modules(structure.unet)
    found = [target for target in family(name).lora_targets(structure, conv=True) if target.part == "unet"]

    assert {target.path: (target.in_features, target.out_features, target.kernel) for target in found} == {
        path: measures(module)
        for path, module in modules.items()
        if type(module).__name__ in ("Linear", "Conv2d", "LoRACompatibleConv", "LoRACompatibleLinear")
        and path.startswith(("down_blocks", "mid_block", "up_blocks"))
    }


def test_every_layer_of_the_text_encoder_is_found_in_the_order_of_its_modules() -> None:
    torch = pytest.importorskip("torch")
    from transformers import CLIPTextConfig, CLIPTextModel

    standard = family("sd1").standard
    assert standard is not None
    with torch.device("meta"):
        model = CLIPTextModel(CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_attention_heads=12))
    layers = [
        (name if name.startswith("text_model.") else f"text_model.{name}", *measures(module))
        for name, module in model.named_modules()
        if type(module).__name__ == "Linear"
    ]

    def row(target: LoraTarget) -> tuple[str, int, int, int]:
        return target.path, target.in_features, target.out_features, target.kernel

    assert layers == [row(target) for target in family("sd1").lora_targets(standard) if target.part == "text_encoder"]
