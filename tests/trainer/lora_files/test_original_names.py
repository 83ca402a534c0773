"""LoRAs of Anima: files in the names of the base model's own layers, and what reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.loaders.lora_pipeline import AnimaLoraLoaderMixin
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from advisor.adapters.file_names import layer_names
from advisor.checkpoints.identify import identify
from advisor.estimate.disk import lora_bytes, planned_header_bytes
from advisor.families import family
from advisor.settings.config import NetworkConfig, TrainingConfig, parse_config
from tests.support.in_diffusers import apart, said
from tests.support.tiny_anima import TINY_ANIMA, tiny_anima
from trainer.adapters.file_network import attach_file
from trainer.adapters.network import Network
from trainer.convert.lora import convert_lora
from trainer.lora_files.diffusers_copy import DiffusersCopy
from trainer.lora_files.original_names import original_names
from trainer.lora_files.reload_check import ReloadCheck, check_saved
from trainer.lora_files.weight_change import by_layer, change
from trainer.lora_files.write import LoraFiles
from trainer.models.families.family import BaseModel

CPU = torch.device("cpu")
BLOCK = r"((self|cross)_attn\.(q|k|v|output)_proj|mlp\.layer[12])"
LAYER = rf"diffusion_model\.blocks\.[01]\.{BLOCK}"
KINDS: dict[str, tuple[dict[str, Any], str]] = {
    "lora": ({}, r"lora_[AB]\.weight"),
    "dora": ({"kind": "dora"}, r"(lora_[AB]\.weight|dora_scale)"),
    "dora by output": ({"kind": "dora", "dora_axis": "output"}, r"(lora_[AB]\.weight|dora_scale)"),
    "loha": ({"kind": "loha"}, r"hada_w[12]_[ab]"),
    "lokr": ({"kind": "lokr", "factor": 2}, r"lokr_(w1|w2_[ab])"),
    "lokr whole": ({"kind": "lokr", "rank": 64, "alpha": 24.0}, r"lokr_w[12]"),
}
"""Settings of the network, and the tensors of a layer."""


@dataclass(frozen=True)
class Saved:
    """A LoRA of random weights on a tiny model, attached, and its file."""

    config: TrainingConfig
    base: BaseModel
    network: Network
    path: Path

    @property
    def tensors(self) -> dict[str, Tensor]:
        found: dict[str, Tensor] = load_file(self.path)
        return found

    def checked(self) -> ReloadCheck:
        return check_saved(self.path, self.base, self.network, "tok, 1girl", clip_skip=1)


def anima_config(
    *, network: Mapping[str, Any] | None = None, saving: Mapping[str, Any] | None = None
) -> TrainingConfig:
    return parse_config(
        {
            "model": {"path": "anima.safetensors", "family": "anima", "prediction": "flow"},
            "dataset": {"images": "."},
            "network": {"rank": 3, "alpha": 1.0, **(network or {})},
            "optimizer": {"text_encoder_learning_rate": 0.0},
            "saving": {"name": "tok", "dtype": "float32", **(saving or {})},
        }
    )


def saved(folder: Path, *, network: Mapping[str, Any] | None = None, saving: Mapping[str, Any] | None = None) -> Saved:
    config, base = anima_config(network=network, saving=saving), tiny_anima()
    attached = Network.attach(base, config.network, text_encoder=False).eval()
    rng = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for parameter in attached.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=rng), alpha=0.05)
    names = original_names(config, TINY_ANIMA)
    files = LoraFiles(
        folder, config.saving, planned_header_bytes(config, TINY_ANIMA), DiffusersCopy.of(config, TINY_ANIMA),
        original=names,
    )  # fmt: skip
    state = attached.lora_state(torch.float32, scaled=files.takes_scaled)
    return Saved(config, base, attached, files.write(files.name, state, {"ss_network_alpha": "3"}))


def merged(base: BaseModel, path: Path) -> dict[str, Tensor]:
    """The weights that a file's layers have with it, by the check's own arithmetic."""
    found, layers = by_layer(load_file(path)), dict[str, Tensor]()
    for own, module in base.denoiser.named_modules():
        if isinstance(module, nn.Linear):
            name = base.family.name_in_lora(base, own)
            tensors = found.pop(f"diffusion_model.{name}", None) or found.pop(
                f"lora_unet_{name.replace('.', '_')}", None
            )
            if tensors is not None:
                layers[own] = module.weight.detach() + change(tensors, module.weight)
    assert not found, f"no layers for {list(found)}"
    return layers


def apart_at_most(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_saved_without_alpha_and_reads_back_as_it_was(tmp_path: Path, kind: str) -> None:
    settings, tensors = KINDS[kind]
    lora = saved(tmp_path, network=settings)
    check = lora.checked()

    assert all(re.fullmatch(rf"{LAYER}\.{tensors}", name) for name in lora.tensors)
    assert len(by_layer(lora.tensors)) == 20
    assert lora.path.stat().st_size == lora_bytes(lora.config, TINY_ANIMA)
    assert check.complaints(unet=True, text_encoder=False) == ()
    assert check.unet_change > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_kohyas_names_on_request_change_the_weights_alike(tmp_path: Path, kind: str) -> None:
    ours = saved(tmp_path / "ours", network=KINDS[kind][0])
    kohyas = saved(tmp_path / "kohya", network=KINDS[kind][0], saving={"layer_names": "kohya"})

    assert "lora_unet_blocks_1_mlp_layer2.alpha" in kohyas.tensors
    assert kohyas.path.stat().st_size == lora_bytes(kohyas.config, TINY_ANIMA)
    assert kohyas.checked().complaints(unet=True, text_encoder=False) == ()
    assert apart_at_most(merged(ours.base, ours.path), merged(ours.base, kohyas.path)) < 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_converting_there_and_back_keeps_what_it_does(tmp_path: Path, kind: str) -> None:
    kohyas = saved(tmp_path, network=KINDS[kind][0], saving={"layer_names": "kohya"})
    there, back = tmp_path / "there.safetensors", tmp_path / "back.safetensors"
    convert_lora(kohyas.path, there, lambda line: None)
    convert_lora(there, back, lambda line: None)

    wanted = merged(kohyas.base, kohyas.path)
    assert all(name.startswith("diffusion_model.") and not name.endswith("alpha") for name in load_file(there))
    assert load_file(back).keys() == kohyas.tensors.keys()
    assert apart_at_most(merged(kohyas.base, there), wanted) < 1e-6
    assert apart_at_most(merged(kohyas.base, back), wanted) < 1e-6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("names", ["usual", "kohya"])
def test_a_new_training_goes_on_from_both_forms(tmp_path: Path, kind: str, names: str) -> None:
    settings = KINDS[kind][0]
    lora = saved(tmp_path, network=settings, saving={"layer_names": names})
    wanted = lora.network.lora_state(torch.float32, scaled=True)
    lora.network.detach()
    config = NetworkConfig.model_validate({"rank": 3, "alpha": 1.0, **settings, "start_from": str(lora.path)})
    again = Network.attach(lora.base, config, text_encoder=False)

    assert again.start_notes == ()
    assert apart_at_most(again.lora_state(torch.float32, scaled=True), wanted) < 1e-6


def test_a_lora_of_either_form_is_drawn_with(tmp_path: Path) -> None:
    lora = saved(tmp_path)
    wanted = lora.network.lora_state(torch.float32, scaled=True)
    lora.network.detach()
    drawn = attach_file(lora.base, lora.path)

    assert apart_at_most(drawn.lora_state(torch.float32, scaled=True), wanted) < 1e-6


def test_the_text_adapter_is_adapted_on_request_only(tmp_path: Path) -> None:
    lora = saved(tmp_path, network={"text_adapter": True})
    between = [name for name in by_layer(lora.tensors) if "llm_adapter" in name]

    assert len(between) == 10
    assert "diffusion_model.llm_adapter.blocks.0.self_attn.q_proj" in between
    assert lora.checked().complaints(unet=True, text_encoder=False) == ()
    assert len(family("anima").lora_targets(TINY_ANIMA)) == 20


def test_a_lost_layer_and_a_strange_one_are_found_by_the_check(tmp_path: Path) -> None:
    lora = saved(tmp_path, network={"text_adapter": True})
    tensors = lora.tensors
    tensors["diffusion_model.blocks.7.mlp.layer1.lora_A.weight"] = tensors.pop(
        "diffusion_model.llm_adapter.blocks.0.mlp.2.lora_A.weight"
    )
    save_file(tensors, lora.path)
    check = lora.checked()

    assert (check.missing, check.unexpected) == (1, 1)


def test_an_alpha_beside_these_names_is_found_by_the_check(tmp_path: Path) -> None:
    lora = saved(tmp_path)
    save_file({**lora.tensors, "diffusion_model.blocks.0.mlp.layer1.alpha": torch.tensor(3.0)}, lora.path)

    assert lora.checked().unexpected == 1


@pytest.mark.parametrize("names", ["usual", "kohya"])
def test_identify_names_the_family_of_both_forms(tmp_path: Path, names: str) -> None:
    found = identify(saved(tmp_path, saving={"layer_names": names}).path)

    assert (found.kind, found.family, found.adapter, found.rank) == ("lora", "anima", "lora", 3)
    assert found.alpha == (3.0 if names == "usual" else 1.0)


class Loader(AnimaLoraLoaderMixin):  # type: ignore[misc]
    """diffusers' loader with the two networks that it puts LoRAs into."""

    hf_device_map = None

    def __init__(self, base: BaseModel) -> None:
        self.transformer, self.text_conditioner = base.denoiser.transformer, base.denoiser.conditioner
        self.components = {"transformer": self.transformer, "text_conditioner": self.text_conditioner}


@torch.no_grad()
def velocity(base: BaseModel) -> Tensor:
    noisy = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(1))
    text = base.family.encode_text(base, base.family.tokenize(base, ["tok, 1girl"]))
    return base.family.predict(base, noisy, torch.tensor([0.4]), text)


@pytest.mark.parametrize(
    ("network", "copied"),
    [({}, False), ({"text_adapter": True}, False), ({"text_adapter": True}, True),
     ({"kind": "dora", "dora_axis": "output"}, True)],
)  # fmt: skip
def test_diffusers_reads_all_of_it_and_answers_as_we_do(tmp_path: Path, network: dict[str, Any], copied: bool) -> None:
    lora = saved(tmp_path, network=network, saving={"diffusers_copy": copied})
    path = lora.path.with_name("tok-diffusers.safetensors") if copied else lora.path
    ours = velocity(lora.base)
    lora.network.detach()
    plain, loader = velocity(lora.base), Loader(lora.base)
    with said() as heard:
        loader.load_lora_weights(str(path.parent), weight_name=path.name)
    placed = [name for name, _ in lora.base.denoiser.named_parameters() if ".lora_A." in name]

    assert heard == []
    assert len(placed) == len(by_layer(lora.tensors))
    assert apart(ours, plain) > 1e-4
    assert apart(velocity(lora.base), ours) < 1e-5


def test_comfyuis_key_map_has_every_layer(tmp_path: Path) -> None:
    """ComfyUI maps `diffusion_model.NAME` and `lora_unet_NA_ME` for every weight NAME of the model's own file."""
    lora = saved(tmp_path, network={"text_adapter": True})
    own = [
        lora.base.family.name_in_lora(lora.base, path)
        for path, module in lora.base.denoiser.named_modules()
        if isinstance(module, nn.Linear)
    ]
    known = {f"diffusion_model.{name}" for name in own} | {f"lora_unet_{name.replace('.', '_')}" for name in own}

    assert by_layer(lora.tensors).keys() <= known


def test_names_follow_the_family_and_the_request() -> None:
    assert layer_names(anima_config()) == "original"
    assert layer_names(anima_config(saving={"layer_names": "kohya"})) == "kohya"
    assert (
        layer_names(
            anima_config().model_copy(update={"model": anima_config().model.model_copy(update={"family": "sdxl"})})
        )
        == "kohya"
    )
