"""Going on from LoRA files of our own and of other programs: under whose names, of which rank, and what is left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from advisor.adapters.diffusers_names import DESCRIPTION_KEY, adapter_description, layer_name
from advisor.adapters.layout import adapter_plans
from advisor.errors import ConfigErrors, ModelError
from advisor.settings.config import AdapterKind, NetworkConfig
from tests.support.runs import events_of, make_config, run_training
from tests.support.tiny import TINY_SD1, tiny_sd1
from trainer.adapters.network import Network
from trainer.lora_files.diffusers_copy import diffusers_state
from trainer.models.families.family import BaseModel

State = dict[str, Tensor]
ATTENTION = "lora_unet_mid_block_attentions_0_proj_in"


def config_of(kind: AdapterKind = "lora", **settings: Any) -> NetworkConfig:
    usual: dict[str, Any] = {"rank": 4, "alpha": 2.0, "conv_rank": 0 if kind == "lora" else 2}
    return NetworkConfig(kind=kind, **usual | settings)


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return tiny_sd1()


@torch.no_grad()
def answer(base: BaseModel) -> Tensor:
    noisy = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    text = base.family.encode_text(base, (base.tokenizers[0](["a cat"]),))
    return base.family.predict(base, noisy, torch.tensor([500]), text)


def trained(base: BaseModel, config: NetworkConfig, *, text_encoder: bool = True) -> tuple[State, Tensor]:
    """The file of a LoRA of random weights, and what the base answers with it."""
    network = Network.attach(base, config, text_encoder=text_encoder).eval()
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.05)
    found = answer(base)
    network.detach()
    return network.lora_state(torch.float32), found


def gone_on(
    base: BaseModel, folder: Path, state: Mapping[str, Tensor], config: NetworkConfig, **told: str
) -> tuple[Network, Tensor]:
    """A network that goes on from that file, detached again, and what the base answered with it."""
    save_file(dict(state), folder / "first.safetensors", told)
    started = config.model_copy(update={"start_from": str(folder / "first.safetensors")})
    network = Network.attach(base, started, text_encoder=True).eval()
    found = answer(base)
    network.detach()
    return network, found


def in_diffusers_names(state: State, config: NetworkConfig, rename: Callable[[str], str] = str) -> State:
    plans = adapter_plans("sd1", TINY_SD1, config, text_encoder=True)
    made = diffusers_state(state, {plan.target.name: layer_name(plan.target) for plan in plans})
    return {rename(key): one for key, one in made.items()}


def of_former_diffusers(key: str) -> str:
    """`...attn1.to_q.lora_A.weight` as `...attn1.processor.to_q_lora.down.weight`."""
    for side, former in (("lora_A", "down"), ("lora_B", "up")):
        for layer in ("to_q", "to_k", "to_v", "to_out.0"):
            key = key.replace(f".{layer}.{side}.", f".processor.{layer.removesuffix('.0')}_lora.{former}.")
        if key.startswith("text_encoder"):
            key = key.replace(side, f"lora_linear_layer.{former}")
    return key


@pytest.mark.parametrize(
    "rename",
    [
        str,
        lambda key: "base_model.model." + key.removeprefix("unet.").replace(".weight", ".default.weight"),
        lambda key: key.replace("text_encoder.text_model.", "text_encoder."),
        of_former_diffusers,
    ],
    ids=["diffusers", "peft", "transformers 5", "former diffusers"],
)
def test_a_lora_in_other_programs_names_goes_on_as_it_was(
    base: BaseModel, tmp_path: Path, rename: Callable[[str], str]
) -> None:
    state, before = trained(base, config_of())

    network, found = gone_on(base, tmp_path, in_diffusers_names(state, config_of(), rename), config_of())

    torch.testing.assert_close(found, before)
    assert network.start_notes == ()


@pytest.mark.parametrize("kind", ["locon", "dora"])
def test_our_own_copy_goes_on_as_it_was(base: BaseModel, tmp_path: Path, kind: AdapterKind) -> None:
    config = config_of(kind, dora_axis="output")
    state, before = trained(base, config)
    told = {DESCRIPTION_KEY: adapter_description(adapter_plans("sd1", TINY_SD1, config, text_encoder=True))}

    _, found = gone_on(base, tmp_path, in_diffusers_names(state, config), config, **told)

    torch.testing.assert_close(found, before)


def test_the_alpha_that_a_header_describes_counts(base: BaseModel, tmp_path: Path) -> None:
    state, before = trained(base, config_of(alpha=4.0))
    told = {DESCRIPTION_KEY: '{"unet.lora_alpha": 8, "unet.r": 4, "text_encoder.lora_alpha": 8}'}
    halved = {key: one / 2 if "lora_B" in key else one for key, one in in_diffusers_names(state, config_of()).items()}

    _, found = gone_on(base, tmp_path, halved, config_of(), **told)

    torch.testing.assert_close(found, before)


@pytest.mark.parametrize("axis", ["input", "output"])
def test_a_dora_goes_on_with_the_axis_of_its_file_and_is_refused_with_the_other(
    base: BaseModel, tmp_path: Path, axis: str
) -> None:
    config = config_of("dora", dora_axis=axis)
    state, before = trained(base, config)

    _, found = gone_on(base, tmp_path, state, config)

    torch.testing.assert_close(found, before)
    other = "output" if axis == "input" else "input"
    with pytest.raises(ConfigErrors, match=rf"network\.dora_axis.*lengths by {axis}: set {axis} here"):
        gone_on(base, tmp_path, state, config_of("dora", dora_axis=other))


def test_layers_of_a_preset_that_ours_never_adapt_are_left_out_with_a_word(base: BaseModel, tmp_path: Path) -> None:
    state, before = trained(base, config_of("locon"))
    extra = {
        f"lora_unet_{name}.lora_{side}.weight": torch.ones(2, 2)
        for name in ("conv_in", "conv_out", "time_embedding_linear_1")
        for side in ("down", "up")
    }

    network, found = gone_on(base, tmp_path, state | extra | {"lora_unet_conv_norm_out.w_norm": torch.ones(4)},
                             config_of("locon"))  # fmt: skip

    torch.testing.assert_close(found, before)
    (note,) = network.start_notes
    assert note.startswith("4 layers of the LoRA to go on from (lora_unet_conv_")
    assert "are left out" in note


def test_a_part_that_the_file_lacks_begins_anew_and_it_is_told(base: BaseModel, tmp_path: Path) -> None:
    state, before = trained(base, config_of(), text_encoder=False)

    network, found = gone_on(base, tmp_path, state, config_of())

    torch.testing.assert_close(found, before)
    (note,) = network.start_notes
    assert "nothing of 18 layers (lora_te_text_model_encoder_layers_0_self_attn_k_proj ...): they begin anew" in note


def test_a_wider_rank_keeps_what_was_learned_and_every_new_rank_can_learn(base: BaseModel, tmp_path: Path) -> None:
    state, before = trained(base, config_of("locon"))
    wider = config_of("locon", rank=6, alpha=1.0, conv_rank=3, resize_start=True)

    network, found = gone_on(base, tmp_path, state, wider)

    torch.testing.assert_close(found, before)
    adapter = network.layers[ATTENTION]
    down, up = adapter.get_parameter("down").detach(), adapter.get_parameter("up").detach()
    assert down.shape[0] == 6
    assert bool(down.flatten(1).norm(dim=1).min() > 0), "a rank whose factors are both zero would never learn"
    assert not bool(up[:, 4:].any())
    assert "is resized: nothing of it is lost" in " ".join(network.start_notes)


def test_a_narrower_rank_is_the_nearest_that_there_is(base: BaseModel, tmp_path: Path) -> None:
    state, _ = trained(base, config_of())

    network, _ = gone_on(base, tmp_path, state, config_of(rank=2, alpha=0.5, resize_start=True))

    whole = 0.5 * state[f"{ATTENTION}.lora_up.weight"].flatten(1) @ state[f"{ATTENTION}.lora_down.weight"].flatten(1)
    first, values, second = torch.linalg.svd(whole)
    nearest = (first[:, :2] * values[:2]) @ second[:2]
    adapter = network.layers[ATTENTION]
    factors = [adapter.get_parameter(name).detach().flatten(1) for name in ("up", "down")]
    torch.testing.assert_close(0.25 * factors[0] @ factors[1], nearest, rtol=1e-3, atol=1e-5)
    assert "is resized: by SVD, the nearest of that rank" in " ".join(network.start_notes)


@pytest.mark.parametrize(
    ("of_file", "wanted", "told"),
    [
        (
            config_of(),
            config_of(rank=8),
            r"network\.rank is 8: .* rank 4: set network\.rank to 4, or network\.resize_st",
        ),
        (
            config_of("locon"),
            config_of("locon", conv_rank=3),
            r"network\.conv_rank is 3: .* rank 2: set network\.conv_rank",
        ),
        (config_of("loha"), config_of("loha", rank=8, resize_start=True), r"set network\.rank to 4$"),
        (config_of("locon"), config_of(), r"network\.conv_rank is 0: .* 3x3 convolutions too: set 2 here"),
        (config_of("loha"), config_of("locon"), r"network\.kind is 'locon': .* is a loha: set loha here"),
        (config_of("dora"), config_of(), r"network\.kind is 'lora': .* is a dora: set dora here"),
        (config_of("lokr", factor=2), config_of("lokr", factor=4), "lokr_w1 is .* wanted is"),
        (config_of("lokr", rank=64), config_of("lokr"), r"has lokr_w2 where this training has lokr_w2_a, lokr_w2_b"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_setting_that_would(
    base: BaseModel, tmp_path: Path, of_file: NetworkConfig, wanted: NetworkConfig, told: str
) -> None:
    state, _ = trained(base, of_file)

    with pytest.raises(ConfigErrors, match=rf"(?m){told}"):
        gone_on(base, tmp_path, state, wanted)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda state: state.pop(f"{ATTENTION}.lora_up.weight"), "lacks lora_up.weight: it is cut short"),
        (lambda state: state.update({"lora_unet_other.lora_up.weight": torch.zeros(4, 4)}), "has lora_unet_other, for"),
        (lambda state: state.update({f"{ATTENTION}.lora_mid.weight": torch.zeros(4, 4, 1, 1)}), "Tucker"),
        (lambda state: state.update({f"{ATTENTION}.lora_up.weight": torch.zeros(3, 4)}), "made for another model"),
        (
            lambda state: state.update({f"{ATTENTION}.lora_down.weight": torch.zeros(0, 64, 1, 1)}),
            "has no rank, or no al",
        ),
        (
            lambda state: state.update({f"{ATTENTION}.alpha": torch.ones(2)}),
            "has no rank, or no alpha that is a number",
        ),
    ],
)
def test_a_file_that_is_not_whole_or_not_for_this_model_is_refused_by_name(
    base: BaseModel, tmp_path: Path, change: Callable[[State], object], told: str
) -> None:
    state, _ = trained(base, config_of())
    change(state)

    with pytest.raises(ConfigErrors, match=told):
        gone_on(base, tmp_path, state, config_of())


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_file_with_numbers_that_are_none_is_refused_with_the_layer(
    base: BaseModel, tmp_path: Path, number: float
) -> None:
    config = config_of()
    state, _ = trained(base, config)
    state[f"{ATTENTION}.lora_up.weight"][0, 0] = number

    with pytest.raises(ModelError, match=f"{ATTENTION} holds NaN or infinity"):
        gone_on(base, tmp_path, state, config)


def test_a_file_of_no_rank_is_damaged_and_no_rank_to_take(base: BaseModel, tmp_path: Path) -> None:
    config = config_of()
    state, _ = trained(base, config)
    for key in [key for key in state if key.startswith(ATTENTION) and "lora_" in key.removeprefix(ATTENTION)]:
        axis = 0 if "lora_down" in key else 1
        state[key] = state[key].narrow(axis, 0, 0).contiguous()

    with pytest.raises(ConfigErrors) as caught:
        gone_on(base, tmp_path, state, config)

    assert "it is damaged" in str(caught.value)
    assert "set network.rank to 0" not in str(caught.value)


def test_a_lora_of_another_family_is_refused(base: BaseModel, tmp_path: Path) -> None:
    name = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"
    state = {f"{name}.lora_down.weight": torch.ones(4, 2048), f"{name}.lora_up.weight": torch.ones(640, 4)}

    with pytest.raises(ConfigErrors, match="it is for sdxl, and the base model is sd1"):
        gone_on(base, tmp_path, state, config_of())


def test_a_file_that_is_no_lora_is_refused(base: BaseModel, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is no LoRA to go on from but of the kind unknown"):
        gone_on(base, tmp_path, {"weight": torch.ones(4, 4)}, config_of())


def test_a_training_tells_what_it_leaves_out(material: Path, tmp_path: Path, base: BaseModel) -> None:
    state, _ = trained(base, config_of())
    extra = {f"lora_unet_conv_in.lora_{side}.weight": torch.ones(2, 2) for side in ("down", "up")}
    save_file(state | extra, tmp_path / "first.safetensors")
    config = make_config(material, network__start_from=str(tmp_path / "first.safetensors"), schedule__max_steps=1)

    run_training(tmp_path / "run", config)

    (warning,) = (event for event in events_of(tmp_path / "run", "warning") if event["code"] == "start_from")
    assert warning["message"].startswith("1 layer of the LoRA to go on from (lora_unet_conv_in)")
