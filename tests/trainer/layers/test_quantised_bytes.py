"""What the advisor predicts of a quantised base, against the trainer's modules at their published size."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from advisor.estimate.quantised_base import denoiser_bytes, packed_layers, unpacking_bytes
from advisor.families import family as family_facts
from advisor.settings.config import MemoryConfig, QuantisedDtype
from trainer.layers.quantised_layers import layers_to_quantise, quantise
from trainer.models.families import TRAINER_FAMILIES

FAMILY_NAMES = tuple(TRAINER_FAMILIES)


def denoiser(name: str, dtype: torch.dtype = torch.bfloat16) -> nn.Module:
    structure = family_facts(name).standard
    assert structure is not None
    cpu = torch.device("cpu")
    made: nn.Module = TRAINER_FAMILIES[name].build(structure, dtype=dtype, vae_dtype=dtype, device=cpu).denoiser
    return made


@pytest.mark.parametrize("name", FAMILY_NAMES)
def test_the_advisor_knows_which_layers_are_packed(name: str) -> None:
    structure = family_facts(name).standard
    assert structure is not None
    with FakeTensorMode():
        network = denoiser(name)
        layers = [network.get_submodule(path) for path in layers_to_quantise(network)]

    weights = [layer.get_parameter("weight") for layer in layers]
    found = packed_layers(name, structure)
    assert found.layers == len(layers)
    assert found.weights == sum(weight.numel() for weight in weights)
    assert found.rows == sum(weight.shape[0] for weight in weights)
    assert found.largest == max(weight.numel() for weight in weights)


@pytest.mark.parametrize(
    ("name", "dtype", "kind"),
    [
        ("sd1", "float32", "int8"),
        ("sd2", "bfloat16", "nf4"),
        pytest.param("sdxl", "float16", "nf4", marks=pytest.mark.slow),
    ],
)
def test_the_predicted_bytes_are_the_modules(name: str, dtype: str, kind: QuantisedDtype) -> None:
    structure = family_facts(name).standard
    assert structure is not None
    with FakeTensorMode():
        network = denoiser(name, getattr(torch, dtype))
        quantise(network, kind)

    found = sum(tensor.nbytes for tensor in (*network.parameters(), *network.buffers()))
    memory = MemoryConfig.model_validate({"compute_dtype": dtype, "base_dtype": kind})
    assert denoiser_bytes(memory, name, structure) == pytest.approx(found, rel=1e-4)


def test_a_whole_base_is_never_unpacked() -> None:
    structure = family_facts("sd1").standard
    assert structure is not None

    assert unpacking_bytes(MemoryConfig(), "sd1", structure) == 0
    assert unpacking_bytes(MemoryConfig(base_dtype="int8"), "sd1", structure) == 4 * 29_491_200
