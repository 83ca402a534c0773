"""What diffusers makes of our LoRAs: the files in kohya's names, and their copies in its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from advisor.adapters.diffusers_names import DESCRIPTION_KEY
from advisor.checkpoints.identify import identify
from advisor.errors import ConfigErrors
from advisor.estimate.disk import copy_bytes, planned_header_bytes
from advisor.families.stable_diffusion import StableDiffusionStructure
from advisor.settings.config import TrainingConfig
from tests.support.in_diffusers import answers_of, apart, make_pipeline, num_placed, said
from tests.support.runs import events_of, make_config, metadata, run_training
from tests.support.tiny import TINY_SD1, TINY_SD2, TINY_SDXL, tiny_base
from trainer.adapters.network import Network
from trainer.convert.lora import convert_lora
from trainer.lora_files.diffusers_copy import DiffusersCopy
from trainer.lora_files.write import LoraFiles
from trainer.models.families.family import BaseModel
from trainer.models.families.sdxl import Sdxl
from trainer.models.families.stable_diffusion import Sd1, Sd2

FAMILIES = {"sd1": Sd1(), "sd2": Sd2(), "sdxl": Sdxl()}
STRUCTURES = {"sd1": TINY_SD1, "sd2": TINY_SD2, "sdxl": TINY_SDXL}
KINDS = ("lora", "locon", "dora")


@dataclass(frozen=True)
class Saved:
    """One LoRA in both files, and what our own network answers."""

    config: TrainingConfig
    structure: StableDiffusionStructure
    kohya: Path
    copy: Path
    plain: tuple[Tensor, Tensor]
    ours: tuple[Tensor, Tensor]
    num_layers: int

    def pipeline(self) -> tuple[Any, Callable[[], tuple[Tensor, Tensor]]]:
        base = make_base(self.config.model.family)
        pipeline = make_pipeline(base)
        return pipeline, answers_of(pipeline, base)


def make_base(family: str) -> BaseModel:
    return tiny_base(FAMILIES[family], STRUCTURES[family])


def save(folder: Path, family: str, kind: str, **settings: Any) -> Saved:
    """A LoRA of random weights, alpha a third of its rank; a DoRA with lengths by output, as peft has them."""
    conv: dict[str, Any] = {"network__conv_rank": 2, "network__dora_axis": "output"} if kind != "lora" else {}
    config = make_config(
        folder, family=family, network__kind=kind, network__rank=3, network__alpha=1.0, saving__dtype="float32",
        saving__diffusers_copy=True, **conv | settings,
    )  # fmt: skip
    base, structure = make_base(family), STRUCTURES[family]
    network = Network.attach(base, config.network, text_encoder=True).eval()
    rng = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=rng), alpha=0.05)
    answer = answers_of(make_pipeline(base), base)
    ours = answer()
    network.multiplier = 0.0
    plain = answer()
    files = LoraFiles(
        folder, config.saving, planned_header_bytes(config, structure), DiffusersCopy.of(config, structure)
    )
    kohya = files.write(files.name, network.lora_state(torch.float32), {"ss_network_alpha": "1.0"})
    copy = folder / "model" / "tok-diffusers.safetensors"
    return Saved(config, structure, kohya, copy, plain, ours, len(network.names))


@pytest.fixture(scope="module", params=[(family, kind) for family in STRUCTURES for kind in KINDS], ids="-".join)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    family, kind = request.param
    return save(tmp_path_factory.mktemp("saved"), family, kind)


def test_diffusers_takes_every_key_of_kohyas_names_and_answers_as_we_do(saved: Saved) -> None:
    pipeline, answer = saved.pipeline()

    with said() as heard:
        pipeline.load_lora_weights(str(saved.kohya))
    states, changed = answer()

    is_dora = saved.config.network.kind == "dora"
    assert [message for message in heard if "dora_scale" not in message] == []
    assert bool(heard) == is_dora, "diffusers reads all of a kohya file but a DoRA's lengths"
    assert num_placed(pipeline) == saved.num_layers
    assert apart(changed, saved.plain[1]) > 0.005
    if not is_dora:
        assert apart(states, saved.ours[0]) < 1e-5
        assert apart(changed, saved.ours[1]) < 1e-5


def test_diffusers_takes_every_key_of_the_copy_and_answers_as_we_do(saved: Saved) -> None:
    pipeline, answer = saved.pipeline()

    with said() as heard:
        pipeline.load_lora_weights(str(saved.copy))
    states, changed = answer()

    assert heard == []
    assert num_placed(pipeline) == saved.num_layers
    assert apart(states, saved.plain[0]) > 0.005
    assert apart(states, saved.ours[0]) < 1e-5
    assert apart(changed, saved.ours[1]) < 1e-5


def test_the_copy_has_the_planned_size_and_is_identified(saved: Saved) -> None:
    found = identify(saved.copy)

    model, kind = saved.config.model, saved.config.network.kind
    assert saved.copy.stat().st_size == copy_bytes(saved.config, saved.structure)
    assert (found.kind, found.family, found.adapter, found.rank) == ("lora", model.family, kind, 3)
    assert found.alpha == 3, "alpha / rank is in its weights"


def test_a_lora_in_kohyas_names_alone_is_converted_to_the_same_copy(saved: Saved, tmp_path: Path) -> None:
    convert_lora(saved.kohya, tmp_path / "made.safetensors", lambda line: None)

    made, wanted = load_file(tmp_path / "made.safetensors"), load_file(saved.copy)
    assert made.keys() == wanted.keys()
    assert all(torch.equal(made[key], wanted[key]) for key in made)
    assert json.loads(metadata(tmp_path / "made.safetensors")[DESCRIPTION_KEY]).keys() == (
        json.loads(metadata(saved.copy)[DESCRIPTION_KEY]).keys()
    )
    pipeline, answer = saved.pipeline()
    with said() as heard:
        pipeline.load_lora_weights(str(tmp_path / "made.safetensors"))
    assert (heard, num_placed(pipeline)) == ([], saved.num_layers)
    assert apart(answer()[1], saved.ours[1]) < 1e-5


def test_peft_takes_the_unets_part_of_the_copy(saved: Saved) -> None:
    from peft import LoraConfig, inject_adapter_in_model, set_peft_model_state_dict

    state = {key.removeprefix("unet."): one for key, one in load_file(saved.copy).items() if key.startswith("unet.")}
    described = json.loads(metadata(saved.copy)[DESCRIPTION_KEY])
    unet = make_base(saved.config.model.family).denoiser
    of_unet = {key.removeprefix("unet."): one for key, one in described.items() if key.startswith("unet.")}

    inject_adapter_in_model(LoraConfig(**of_unet), unet)
    result = set_peft_model_state_dict(unet, state)

    assert result.unexpected_keys == []
    assert [key for key in result.missing_keys if "lora_" in key] == []


def test_ranks_of_blocks_arrive(tmp_path: Path) -> None:
    ranks = [2, 2, 2, 5, 5, 5, 5, 5, 0, *[4] * 8]
    lora = save(tmp_path, "sd1", "locon", network__block_ranks=ranks)
    pipeline, answer = lora.pipeline()

    with said() as heard:
        pipeline.load_lora_weights(str(lora.copy))

    assert (heard, num_placed(pipeline)) == ([], lora.num_layers)
    assert apart(answer()[1], lora.ours[1]) < 1e-5
    assert lora.copy.stat().st_size == copy_bytes(lora.config, TINY_SD1)


def test_what_diffusers_does_not_know_would_be_heard(tmp_path: Path) -> None:
    lora = save(tmp_path, "sd1", "lora")
    state = load_file(lora.copy)
    text = "text_encoder.text_model.encoder.layers.0.mlp.fc1"
    strange = {f"{text}.lora_{side}.weight": torch.ones(3, 3) for side in "CD"}
    del state[f"{text}.lora_A.weight"]
    save_file({**state, **strange}, tmp_path / "text.safetensors")
    in_unet = {**load_file(lora.copy), "unet.mid_block.attentions.0.proj_in.lora_C.weight": torch.ones(3, 3)}
    save_file(in_unet, tmp_path / "unet.safetensors")

    for name, wanted in (("text", "lora_A"), ("unet", "lora_C")):
        pipeline, _ = lora.pipeline()
        with said() as heard:
            pipeline.load_lora_weights(str(tmp_path / f"{name}.safetensors"))
        assert wanted in "\n".join(heard)


def test_each_lora_of_a_training_has_a_copy_until_it_is_removed(tmp_path: Path) -> None:
    config = make_config(tmp_path, saving__diffusers_copy=True, saving__keep_last=1, schedule__epochs=3)

    run_training(tmp_path / "run", config)

    names = {path.name: path.stat().st_size for path in (tmp_path / "run" / "model").iterdir()}
    assert sorted(names) == [
        "tok-000002-diffusers.safetensors", "tok-000002.safetensors", "tok-diffusers.safetensors", "tok.safetensors"
    ]  # fmt: skip
    assert {names["tok-000002-diffusers.safetensors"], names["tok-diffusers.safetensors"]} == {
        copy_bytes(config, TINY_SD1)
    }
    assert events_of(tmp_path / "run", "finished")[0]["loras"] == [
        "model/tok-000002.safetensors", "model/tok.safetensors"
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["loha", "lokr"])
def test_kinds_that_diffusers_has_no_names_for_are_refused(tmp_path: Path, kind: str) -> None:
    config = make_config(tmp_path, saving__diffusers_copy=True, network__kind=kind)

    with pytest.raises(ConfigErrors, match=rf"saving\.diffusers_copy.*no names for {kind}"):
        run_training(tmp_path / "run", config)


def test_a_dora_with_lengths_by_input_is_refused_with_the_reason_and_what_to_set(tmp_path: Path) -> None:
    config = make_config(tmp_path, saving__diffusers_copy=True, network__kind="dora")

    with pytest.raises(ConfigErrors, match=r"one length for each input.*network\.dora_axis to output"):
        run_training(tmp_path / "run", config)
