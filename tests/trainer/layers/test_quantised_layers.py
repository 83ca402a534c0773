"""Layers whose weight is packed, alone and under every kind of adapter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from advisor.settings.config import QUANTISED, AdapterKind, ModelConfig, NetworkConfig, QuantisedDtype
from tests.support.tiny import TINY_SD1, tiny_sd1, tiny_sd1_checkpoint, tiny_sd1_folder
from tests.trainer.training.test_step import META, OneDevice, make_batch, make_config
from trainer.adapters.network import Network
from trainer.layers.quantised_layers import QuantisedConv2d, QuantisedLinear, layers_to_quantise, quantise
from trainer.models.families.family import BaseModel
from trainer.models.families.stable_diffusion import Sd1
from trainer.models.load import load_base_model
from trainer.training.step import training_loss

CPU = torch.device("cpu")
KINDS: tuple[AdapterKind, ...] = ("lora", "locon", "dora", "loha", "lokr")


def layer_of(kind: str) -> nn.Module:
    torch.manual_seed(5)
    made = nn.Linear(24, 40) if kind == "linear" else nn.Conv2d(24, 40, 3, stride=2, padding=1)
    return made.requires_grad_(False)


def packed(layer: nn.Module, kind: QuantisedDtype) -> nn.Module:
    holder = nn.ModuleDict({"layer": layer})
    quantise(holder, kind)
    return holder["layer"]


def twin_of(conv: nn.Conv2d) -> nn.Conv2d:
    shape: dict[str, Any] = {"kernel_size": conv.kernel_size, "stride": conv.stride, "padding": conv.padding}
    return nn.Conv2d(conv.in_channels, conv.out_channels, **shape)


def unpacked(network: nn.Module) -> None:
    """Give plain layers the weights that packed ones unpack to."""
    for path, module in list(network.named_modules()):
        if isinstance(module, QuantisedLinear | QuantisedConv2d):
            plain: Any = (
                twin_of(module) if isinstance(module, nn.Conv2d) else nn.Linear(module.in_features, module.out_features)
            )
            plain.weight, plain.bias = nn.Parameter(module.weight), module.bias
            network.set_submodule(path, plain.requires_grad_(False))


def input_of(kind: str) -> Tensor:
    shape = (3, 5, 24) if kind == "linear" else (3, 24, 9, 6)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), requires_grad=True)


def attached(base: BaseModel, kind: AdapterKind) -> Network:
    config = NetworkConfig(kind=kind, rank=4, alpha=2.0, conv_rank=0 if kind == "lora" else 2)
    network = Network.attach(base, config, text_encoder=False)
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.05)
    return network


def gradients(base: BaseModel, kind: AdapterKind) -> list[Tensor]:
    network = attached(base, kind)
    training_loss(base, network, make_batch(base), make_config()).backward()
    found = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    network.detach()
    return found


@pytest.mark.parametrize("quantised", QUANTISED)
@pytest.mark.parametrize("kind", ["linear", "conv"])
def test_output_and_inputs_gradient_are_those_of_the_unpacked_layer(kind: str, quantised: QuantisedDtype) -> None:
    layer: Any = packed(layer_of(kind), quantised)
    plain: Any = layer_of(kind)
    plain.weight.copy_(layer.weight)
    found, wanted = input_of(kind), input_of(kind)

    one, other = layer(found), plain(wanted)
    one.square().sum().backward()
    other.square().sum().backward()

    torch.testing.assert_close(one, other)
    assert found.grad is not None
    torch.testing.assert_close(found.grad, wanted.grad)


@pytest.mark.parametrize("quantised", QUANTISED)
@pytest.mark.parametrize("kind", ["linear", "conv"])
def test_only_the_packed_weight_is_saved(kind: str, quantised: QuantisedDtype) -> None:
    layer: Any = packed(layer_of(kind), quantised)
    saved = list[Tensor]()

    def keep(tensor: Tensor) -> Tensor:
        saved.append(tensor)
        return tensor.detach()  # the tensor itself would keep its own graph alive

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        layer(input_of(kind))

    assert [one.data_ptr() for one in saved] == [one.data_ptr() for one in layer.frozen_weight.tensors]


@pytest.mark.parametrize("quantised", QUANTISED)
@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_saves_no_unpacked_weight(kind: AdapterKind, quantised: QuantisedDtype) -> None:
    base = tiny_sd1()
    quantise(base.denoiser, quantised)
    network = attached(base, kind)
    weights = {layer.weight.shape for layer in base.denoiser.modules() if isinstance(layer, QuantisedLinear)}
    weights |= {layer.weight.shape for layer in base.denoiser.modules() if isinstance(layer, QuantisedConv2d)}
    whole = [*base.denoiser.parameters(), *network.parameters()]
    known = {one.data_ptr() for one in whole}
    saved = list[torch.Size]()

    def keep(tensor: Tensor) -> Tensor:
        if tensor.is_floating_point() and tensor.data_ptr() not in known:
            saved.append(tensor.shape)
        return tensor.detach()  # the tensor itself would keep its own graph alive

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = training_loss(base, network, make_batch(base), make_config())
    loss.backward()  # frees the graph: tensors that hooks hand back as they are keep it alive otherwise

    assert saved
    assert not weights & set(saved)


@pytest.mark.parametrize("checkpointed", [False, True])
@pytest.mark.parametrize("quantised", QUANTISED)
@pytest.mark.parametrize("kind", KINDS)
def test_adapters_learn_as_on_the_unpacked_base(
    kind: AdapterKind, quantised: QuantisedDtype, checkpointed: bool
) -> None:
    base, plain = tiny_sd1(), tiny_sd1()
    for one in (base, plain):
        quantise(one.denoiser, quantised)
        if checkpointed:
            one.family.enable_gradient_checkpointing(one, text_encoder=False)
    unpacked(plain.denoiser)

    pairs = zip(gradients(base, kind), gradients(plain, kind), strict=True)

    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("quantised", QUANTISED)
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_stays_on_its_device(kind: AdapterKind, quantised: QuantisedDtype) -> None:
    base = Sd1().build(TINY_SD1, dtype=torch.bfloat16, vae_dtype=torch.float32, device=META)
    quantise(base.denoiser, quantised)
    batch = make_batch(tiny_sd1()).to(META)

    network = Network.attach(base, NetworkConfig(kind=kind, rank=4, conv_rank=2), text_encoder=False)

    with OneDevice(META):
        training_loss(base, network, batch, make_config()).backward()

    assert all(parameter.grad is not None and parameter.grad.is_meta for parameter in network.parameters())


@pytest.mark.parametrize("quantised", QUANTISED)
def test_a_step_runs_on_fake_tensors(quantised: QuantisedDtype) -> None:
    batch = replace(make_batch(tiny_sd1()), token_ids=())
    with FakeTensorMode(allow_non_fake_inputs=True):
        base = Sd1().build(TINY_SD1, dtype=torch.bfloat16, vae_dtype=torch.float32, device=CPU)
        quantise(base.denoiser, quantised)
        layer: Any = base.denoiser.get_submodule("mid_block.resnets.0.conv1")
        out = layer(torch.empty(2, 64, 4, 4, dtype=torch.bfloat16, requires_grad=True))
        out.sum().backward()

    assert out.shape == (len(batch.latents), 64, 4, 4)
    assert base.dtype == torch.bfloat16


def test_norms_biases_and_the_outermost_layers_stay_whole() -> None:
    base = tiny_sd1()
    quantise(base.denoiser, "int8")

    whole = {name for name, _ in base.denoiser.named_parameters() if not name.endswith(".bias")}
    norms = {name for name in whole if "norm" in name}
    assert whole - norms == {
        "conv_in.weight", "conv_out.weight", "time_embedding.linear_1.weight", "time_embedding.linear_2.weight",
    }  # fmt: skip
    assert norms


@pytest.mark.parametrize("quantised", QUANTISED)
@pytest.mark.parametrize("layout", ["single file", "folder"])
def test_loading_packs_the_files_weights(layout: str, quantised: QuantisedDtype, tmp_path: Path) -> None:
    path = tiny_sd1_checkpoint(tmp_path) if layout == "single file" else tiny_sd1_folder(tmp_path)
    model = ModelConfig(path=str(path), family="sd1")

    def load(kind: QuantisedDtype | None) -> BaseModel:
        return load_base_model(model, dtype=torch.float32, vae_dtype=torch.float32, device=CPU, quantised=kind)

    base, whole = load(quantised), load(None)

    quantise(whole.denoiser, quantised)
    paths = layers_to_quantise(whole.denoiser)
    assert len(paths) > 50
    for name in paths:
        one, other = base.denoiser.get_submodule(name), whole.denoiser.get_submodule(name)
        for found, wanted in zip(one.frozen_weight.tensors, other.frozen_weight.tensors, strict=True):
            assert torch.equal(found, wanted)
        assert one.bias is None or torch.equal(one.bias, other.bias)
    assert not any(tensor.is_meta for tensor in (*base.denoiser.parameters(), *base.denoiser.buffers()))
