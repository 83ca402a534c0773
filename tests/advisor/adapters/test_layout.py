from __future__ import annotations

import re

import pytest

from advisor.adapters.layout import AdapterPlan, adapter_plans, block_rates, lokr_factors
from advisor.checkpoints.dora_axis import DoraAxis, magnitude_axis
from advisor.errors import ConfigError
from advisor.families import family
from advisor.families.stable_diffusion import StableDiffusionStructure
from advisor.settings.config import NetworkConfig

SD1 = family("sd1").standard
SDXL = family("sdxl").standard


def plans(network: NetworkConfig, name: str = "sd1", text_encoder: bool = True) -> dict[str, AdapterPlan]:
    structure = family(name).standard
    assert structure is not None
    return {plan.target.name: plan for plan in adapter_plans(name, structure, network, text_encoder=text_encoder)}


@pytest.mark.parametrize(
    ("number", "factor", "wanted"),
    [
        (127, -1, (1, 127)), (128, -1, (8, 16)), (128, 2, (2, 64)), (250, -1, (10, 25)), (250, 8, (5, 50)),
        (360, -1, (18, 20)), (360, 4, (4, 90)), (360, 100, (18, 20)), (1024, 8, (8, 128)), (320, 16, (16, 20)),
        (320, 64, (5, 64)), (10, 7, (2, 5)), (1280, -1, (32, 40)), (10240, -1, (80, 128)), (7, 4, (1, 7)),
    ],
)  # fmt: skip
def test_a_side_is_split_as_lycoris_splits_it(number: int, factor: int, wanted: tuple[int, int]) -> None:
    assert lokr_factors(number, factor) == wanted


def test_sd1_has_25_blocks_and_sdxl_21() -> None:
    assert isinstance(SD1, StableDiffusionStructure)
    assert isinstance(SDXL, StableDiffusionStructure)
    assert family("sd1").num_blocks(SD1) == 25
    assert family("sdxl").num_blocks(SDXL) == 21


def kohya_sd1_block(name: str) -> int:
    """As sd-scripts counts, which is by the diffusers names."""
    found = re.search(r"(down|up)_blocks_(\d+)_(resnets|attentions|upsamplers|downsamplers)_(\d+)_", name)
    if found is None:
        return 12
    place = 3 * int(found[2]) + (2 if "samplers" in found[3] else int(found[4]))
    return (1 if found[1] == "down" else 13) + place


def kohya_sdxl_block(name: str) -> int:
    """As sd-scripts counts for rates: its own count begins with a block for the time embedding, which has no layer."""
    found = re.match(r"lora_unet_(input|middle|output)_blocks?_(\d+)_", name)
    assert found is not None, name
    return {"input": 0, "middle": 9, "output": 12}[found[1]] + int(found[2])


def test_blocks_are_counted_as_kohya_counts_them() -> None:
    network = NetworkConfig(kind="locon", conv_rank=4)

    for name, plan in plans(network, text_encoder=False).items():
        assert plan.target.block == kohya_sd1_block(name), name
    for name, plan in plans(network, "sdxl", text_encoder=False).items():
        assert plan.target.block == kohya_sdxl_block(name), name


def test_block_ranks_are_for_the_unets_blocks_alone() -> None:
    ranks = tuple(range(1, 26))
    network = NetworkConfig(kind="locon", rank=8, alpha=4, conv_rank=3, conv_alpha=2, block_ranks=ranks)

    found = plans(network)

    assert found["lora_unet_down_blocks_0_attentions_0_proj_in"].rank == 2
    assert found["lora_unet_mid_block_attentions_0_proj_in"].rank == 13
    assert found["lora_unet_up_blocks_3_attentions_2_proj_in"].rank == 25
    assert found["lora_unet_up_blocks_3_attentions_2_proj_in"].alpha == 4
    assert found["lora_te_text_model_encoder_layers_0_mlp_fc1"].rank == 8
    assert (found["lora_unet_mid_block_resnets_0_conv1"].rank, found["lora_unet_mid_block_resnets_0_conv1"].alpha) == (
        3,
        2,
    )


def test_a_block_of_rank_0_has_no_adapter() -> None:
    ranks = tuple(0 if block == 12 else 4 for block in range(25))

    found = plans(NetworkConfig(kind="locon", conv_rank=2, block_ranks=ranks))

    assert not any("mid_block" in name for name in found)
    assert len(found) == 350 - 12 - 6


def test_sdxl_takes_kohyas_23_ranks_and_the_21_of_its_rates() -> None:
    inner = tuple(range(1, 22))

    assert plans(NetworkConfig(block_ranks=(0, *inner, 0)), "sdxl") == plans(NetworkConfig(block_ranks=inner), "sdxl")


@pytest.mark.parametrize("ranks", [(4,) * 24, (-1,) * 25])
def test_block_ranks_that_fit_no_model_are_refused(ranks: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=r"network\.block_ranks"):
        plans(NetworkConfig(block_ranks=ranks))


def test_block_rates_are_one_a_block() -> None:
    assert block_rates((), 25) == ()
    with pytest.raises(ConfigError, match=r"25 factors are needed, not 3"):
        block_rates((1.0, 1.0, 1.0), 25)


def test_a_rank_too_wide_for_lokrs_large_factor_makes_it_whole() -> None:
    found = plans(NetworkConfig(kind="lokr", rank=64, factor=16))

    assert dict(found["lora_unet_down_blocks_0_attentions_0_proj_in"].shapes) == {
        "lokr_w1": (16, 16),
        "lokr_w2": (20, 20, 1, 1),
    }


@pytest.mark.parametrize(
    ("axis", "convolution", "linear"),
    [("input", (1, 1280, 1, 1), (1, 768)), ("output", (1280, 1, 1, 1), (3072, 1))],
)
def test_a_dora_has_a_length_for_each_input_or_output(
    axis: DoraAxis, convolution: tuple[int, ...], linear: tuple[int, ...]
) -> None:
    found = plans(NetworkConfig(kind="dora", dora_axis=axis))

    assert found["lora_unet_mid_block_attentions_0_proj_in"].shapes["dora_scale"] == convolution
    assert found["lora_te_text_model_encoder_layers_0_mlp_fc1"].shapes["dora_scale"] == linear
    assert (magnitude_axis(convolution), magnitude_axis(linear)) == (axis, axis)
