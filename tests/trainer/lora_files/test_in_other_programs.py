"""A LoRA merged by the formulas of A1111, ComfyUI, InvokeAI and SD.Next gives what our own network gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from advisor.adapters.layout import adapter_plans
from advisor.settings.config import AdapterKind, NetworkConfig
from tests.support.in_other_programs import PROGRAMS, by_input, by_output, merge_into
from tests.support.tiny import TINY_SD1, tiny_sd1
from trainer.adapters.network import Network
from trainer.models.families.family import BaseModel

KINDS: tuple[AdapterKind, ...] = ("lora", "locon", "dora", "loha", "lokr")
NOTHING = 5e-6
"""Rounding in float32; ComfyUI adds a rounding step to lengths."""


@dataclass(frozen=True)
class Bench:
    """A base model, what it answers as it is, and the weights that LoRAs change."""

    base: BaseModel
    plain: Tensor
    weights: Mapping[str, Tensor]

    def lora(self, kind: AdapterKind, *, trained: bool, **settings: Any) -> tuple[dict[str, Tensor], Tensor]:
        """A LoRA's file, new or of random weights, and what our own network answers with it."""
        config = NetworkConfig(kind=kind, rank=4, alpha=2.0, conv_rank=0 if kind == "lora" else 2, **settings)
        network = Network.attach(self.base, config, text_encoder=True).eval()
        generator = torch.Generator().manual_seed(9)
        with torch.no_grad():
            for parameter in network.parameters() if trained else ():
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.05)
        ours = answer(self.base)
        network.detach()
        return network.lora_state(torch.float32 if trained else torch.float16), ours

    @torch.no_grad()
    def merged(self, program: str, file: Mapping[str, Tensor]) -> Tensor:
        """What the base answers with a LoRA merged as that program does."""
        before = {name: one.clone() for name, one in self.weights.items()}
        merge_into(self.weights, file, PROGRAMS[program])
        found = answer(self.base)
        for name, one in before.items():
            self.weights[name].copy_(one)
        return found


@torch.no_grad()
def answer(base: BaseModel) -> Tensor:
    noisy = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    ids = (base.tokenizers[0](["a cat"]),)
    return base.family.predict(base, noisy, torch.tensor([500]), base.family.encode_text(base, ids))


def apart(one: Tensor, other: Tensor) -> float:
    return float((one - other).norm() / other.norm())


@pytest.fixture(scope="module")
def bench() -> Bench:
    base = tiny_sd1()
    plans = adapter_plans("sd1", TINY_SD1, NetworkConfig(kind="locon", conv_rank=1), text_encoder=True)
    weights = {plan.target.name: base.layer(plan.target).get_parameter("weight") for plan in plans}
    return Bench(base, answer(base), weights)


@pytest.mark.parametrize("kind", KINDS)
def test_a_lora_merged_there_answers_as_our_own_network(kind: AdapterKind, bench: Bench) -> None:
    file, ours = bench.lora(kind, trained=True)

    assert apart(ours, bench.plain) > 0.01
    for program in PROGRAMS:
        assert apart(bench.merged(program, file), ours) < 1e-5, program


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_adapter_changes_nothing_there(kind: AdapterKind, bench: Bench) -> None:
    file, ours = bench.lora(kind, trained=False)

    assert torch.equal(ours, bench.plain)
    for program in PROGRAMS:
        assert apart(bench.merged(program, file), bench.plain) < NOTHING, program


def test_lengths_by_output_are_misread_by_the_programs_that_the_warning_names(bench: Bench) -> None:
    file, ours = bench.lora("dora", trained=True, dora_axis="output")

    off = {program: apart(bench.merged(program, file), ours) for program in PROGRAMS}

    assert off["SD.Next"] < 1e-5
    assert min(off["A1111"], off["InvokeAI"]) > 0.1
    assert off["ComfyUI"] > 0.001


def test_a_new_dora_with_lengths_by_output_already_changes_pictures_there(bench: Bench) -> None:
    file, _ = bench.lora("dora", trained=False, dora_axis="output")

    off = {program: apart(bench.merged(program, file), bench.plain) for program in PROGRAMS}

    assert min(off["A1111"], off["InvokeAI"]) > 0.1
    assert max(off["SD.Next"], off["ComfyUI"]) < NOTHING


@pytest.mark.parametrize(("axis", "lengths"), [("input", by_input), ("output", by_output)])
def test_a_new_doras_lengths_are_those_of_the_weights_along_its_axis(
    axis: str, lengths: Callable[[Tensor], Tensor], bench: Bench
) -> None:
    file, _ = bench.lora("dora", trained=False, dora_axis=axis)

    found = {name: one for name, one in file.items() if name.endswith("dora_scale")}
    assert found
    for name, one in found.items():
        torch.testing.assert_close(one, lengths(bench.weights[name.partition(".")[0]]).detach())
