"""LoHa, LoKr and DoRA against their formulas, and what they keep in memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from advisor.checkpoints.dora_axis import DoraAxis
from advisor.settings.config import AdapterKind
from tests.support.layers import a_layer, an_input, plan_for
from trainer.adapters import ADAPTERS, Adapter, Dropouts
from trainer.adapters.dora import DoraLayer
from trainer.adapters.loha import LohaLayer
from trainer.adapters.lokr import LokrLayer
from trainer.adapters.weight_adapter import WeightAdapter

KINDS = ("dora", "dora by output", "loha", "lokr")
LAYERS = ("linear", "conv1", "conv3", "strided")
Factory = Callable[..., Adapter]


def new(
    kind: str, layer: nn.Linear | nn.Conv2d, *, rank: int = 2, dropouts: Dropouts | None = None, factor: int = 2
) -> Adapter:
    """An adapter of one of the `KINDS` that changes nothing yet."""
    real: AdapterKind = kind.partition(" ")[0]  # type: ignore[assignment]
    axis: DoraAxis = "output" if kind.endswith("output") else "input"
    plan = plan_for(layer, rank=rank, alpha=1.5, kind=real, factor=factor, dora_axis=axis)
    return ADAPTERS[real](layer, plan, dropouts or Dropouts(), torch.Generator().manual_seed(1))


def made(
    kind: str, layer: nn.Linear | nn.Conv2d, *, rank: int = 2, dropouts: Dropouts | None = None, factor: int = 2
) -> WeightAdapter:
    """An attached adapter that changes something."""
    adapter = new(kind, layer, rank=rank, dropouts=dropouts, factor=factor)
    assert isinstance(adapter, WeightAdapter)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in adapter.factors():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.5)
        if isinstance(adapter, DoraLayer):
            adapter.magnitude.mul_(1 + 0.1 * torch.randn(adapter.magnitude.shape, generator=generator))
    adapter.attach()
    return adapter


def changed_weight(adapter: Adapter) -> Tensor:
    """The layer's weight with the change, by the papers' formulas, element by element where that is the definition."""
    weight, scale = adapter.layer.weight, adapter.alpha / adapter.rank
    if isinstance(adapter, LohaLayer):
        return weight + scale * ((adapter.w1_a @ adapter.w1_b) * (adapter.w2_a @ adapter.w2_b)).view(weight.shape)
    if isinstance(adapter, LokrLayer):
        large = adapter.w2.flatten(1) if adapter.is_whole else scale * (adapter.w2_a @ adapter.w2_b)
        blocks = [torch.cat([entry * large for entry in row], dim=1) for row in adapter.w1]
        return weight + torch.cat(blocks).view(weight.shape)
    assert isinstance(adapter, DoraLayer)
    both = weight + (scale * adapter.up.flatten(1) @ adapter.down.flatten(1)).view(weight.shape)
    along = 1 if adapter.magnitude.shape[0] == 1 else 0
    lengths = both.square().sum([axis for axis in range(both.ndim) if axis != along], keepdim=True).sqrt()
    return adapter.magnitude * both / lengths


def plainly(adapter: Adapter, x: Tensor) -> Tensor:
    layer, weight = adapter.layer, changed_weight(adapter)
    if isinstance(layer, nn.Conv2d):
        return functional.conv2d(x, weight, layer.bias, layer.stride, layer.padding)
    return functional.linear(x, weight, layer.bias)


def gradients(function: Callable[[Tensor], Tensor], adapter: Adapter, x: Tensor) -> list[Tensor]:
    out = function(x)
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(4)).to(out.dtype)
    return list(torch.autograd.grad((out * weights).sum(), [x, *adapter.parameters()]))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("kind", [*KINDS, "whole lokr"])
def test_it_gives_what_its_formula_gives(kind: str, name: str) -> None:
    layer = a_layer(name)
    adapter = made("lokr", layer, rank=4) if kind == "whole lokr" else made(kind, layer)
    x = an_input(layer)

    torch.testing.assert_close(layer(x), plainly(adapter, x))
    for found, wanted in zip(
        gradients(layer, adapter, x), gradients(lambda x: plainly(adapter, x), adapter, x), strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dropouts", [Dropouts(), Dropouts(ranks=0.3)], ids=["plain", "dropouts"])
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_finite_differences(kind: str, name: str, dropouts: Dropouts) -> None:
    layer = a_layer(name, torch.float64)
    adapter = made(kind, layer, dropouts=dropouts).double()
    adapter.seed_dropout(5)
    names = [own for own, _ in adapter.named_parameters()]

    def function(x: Tensor, *factors: Tensor) -> Tensor:
        output: Tensor = torch.func.functional_call(adapter, dict(zip(names, factors, strict=True)), (x,))
        return output

    inputs = (an_input(layer, torch.float64), *adapter.parameters())
    assert torch.autograd.gradcheck(function, inputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_adapter_changes_nothing_to_the_bit(kind: str, name: str, dtype: torch.dtype) -> None:
    layer = a_layer(name, dtype)
    x = an_input(layer, dtype)
    before = layer(x)

    new(kind, layer).attach()

    assert torch.equal(layer(x), before)


@pytest.mark.parametrize("kind", KINDS)
def test_masters_stay_float32_where_the_layer_is_half(kind: str) -> None:
    layer = a_layer("linear", torch.bfloat16)
    adapter = made(kind, layer)

    found = gradients(layer, adapter, an_input(layer, torch.bfloat16))

    assert [gradient.dtype for gradient in found] == [torch.bfloat16, *[torch.float32] * (len(found) - 1)]
    exact_layer = a_layer("linear")
    exact_layer.load_state_dict(layer.state_dict())
    exact = made(kind, exact_layer)
    wanted = gradients(exact_layer, exact, an_input(layer, torch.bfloat16).detach().float().requires_grad_())
    for gradient, exact_gradient in zip(found, wanted, strict=True):
        assert (gradient.float() - exact_gradient).norm() < 0.03 * exact_gradient.norm()


def test_a_small_change_is_not_rounded_off_in_half_precision() -> None:
    layer = a_layer("linear", torch.bfloat16)
    x = an_input(layer, torch.bfloat16)
    adapter = made("loha", layer)
    with torch.no_grad():
        layer.weight.fill_(1.0)
        adapter.get_parameter("w2_a").mul_(1e-4)
        change = adapter.change(layer.weight, dict(adapter.named_parameters()), None)
        x = x - x.mean(-1, keepdim=True)

        assert torch.equal(layer.weight + change, layer.weight)
        assert not torch.equal(layer(x), adapter.layer_alone(x))


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_input_and_the_factors_are_kept_for_the_backward_pass(kind: str) -> None:
    layer = nn.Linear(64, 64).requires_grad_(False)
    adapter = made(kind, layer)
    x = torch.randn(10, 64, requires_grad=True)
    kept = set[int]()

    def keep(tensor: Tensor) -> Tensor:
        kept.add(tensor.data_ptr())
        return tensor.detach()  # the tensor itself would keep its own graph alive

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        layer(x)

    assert kept == {tensor.data_ptr() for tensor in (x, layer.weight, *adapter.parameters())}


@pytest.mark.parametrize("kind", KINDS)
def test_it_may_be_computed_a_second_time(kind: str) -> None:
    layer = a_layer("linear")
    adapter = made(kind, layer, dropouts=Dropouts(ranks=0.5))
    adapter.seed_dropout(7)
    x = an_input(layer)

    once = gradients(layer, adapter, x)
    again = gradients(lambda x: checkpoint(layer, x, use_reentrant=False), adapter, x)

    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "dora"])
def test_rank_dropout_leaves_whole_outputs_out_while_training(kind: str) -> None:
    """With lengths by input the other outputs of a DoRA grow in their place, as in LyCORIS."""
    layer = a_layer("linear")
    adapter = made(kind, layer, dropouts=Dropouts(ranks=0.5))
    x = an_input(layer)
    whole = adapter.eval()(x)
    adapter.train().seed_dropout(3)

    same = [bool(torch.allclose(layer(x)[..., out], whole[..., out])) for out in range(8)]

    assert 0 < sum(same) < 8
    torch.testing.assert_close(adapter.eval()(x), whole)


@pytest.mark.parametrize("kind", KINDS)
def test_module_dropout_leaves_the_whole_adapter_out_at_times(kind: str) -> None:
    layer = a_layer("linear")
    adapter = made(kind, layer, dropouts=Dropouts(adapters=0.5))
    x = an_input(layer)
    alone, outs = adapter.layer_alone(x), []
    for seed in range(20):
        adapter.seed_dropout(seed)
        outs.append(bool(torch.equal(layer(x), alone)))

    assert 3 < sum(outs) < 17


@pytest.mark.parametrize("kind", KINDS)
def test_the_multiplier_goes_from_the_layer_alone_to_the_whole_change(kind: str) -> None:
    layer = a_layer("linear")
    adapter = made(kind, layer)
    x = an_input(layer)
    alone, whole = adapter.layer_alone(x), layer(x)

    adapter.multiplier = 0.5

    torch.testing.assert_close(layer(x), (alone + whole) / 2)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("kind", ["lora", "whole lokr", *KINDS])
def test_a_capped_adapter_is_no_longer_than_asked(kind: str, name: str) -> None:
    layer = a_layer(name)
    adapter = new("lokr", layer, rank=4) if kind == "whole lokr" else new(kind, layer)
    with torch.no_grad():
        for parameter in adapter.factors():
            parameter.add_(0.5)
    change = _added(adapter)
    before = float(adapter.norm())

    adapter.cap_norm(before * 2)
    untouched = float(adapter.norm())
    adapter.cap_norm(before / 3)

    assert before == pytest.approx(float(change.norm()), rel=1e-5)
    assert untouched == before
    torch.testing.assert_close(_added(adapter), change / 3)


def _added(adapter: Adapter) -> Tensor:
    """What is added to the weight, for DoRA before the lengths."""
    weight, scale = adapter.layer.weight, adapter.alpha / adapter.rank
    if isinstance(adapter, LohaLayer | LokrLayer):
        return (changed_weight(adapter) - weight).detach()
    down, up = adapter.get_parameter("down"), adapter.get_parameter("up")
    return (scale * up.flatten(1) @ down.flatten(1)).view(weight.shape).detach()


def test_first_values_of_a_loha_are_those_of_lycoris() -> None:
    layer = nn.Linear(400, 300)
    adapter = LohaLayer(
        layer, plan_for(layer, rank=16, alpha=8, kind="loha"), Dropouts(), torch.Generator().manual_seed(0)
    )

    assert float(adapter.w1_b.detach().std()) == pytest.approx(1, rel=0.05)
    assert float(adapter.w1_a.detach().std()) == pytest.approx(0.1, rel=0.05)
    assert float(adapter.w2_b.detach().std()) == pytest.approx(1, rel=0.05)
    assert not adapter.w2_a.any()


def test_first_values_of_a_lokr_are_those_of_lycoris() -> None:
    layer = nn.Linear(400, 900)
    adapter = LokrLayer(
        layer, plan_for(layer, rank=4, alpha=8, kind="lokr"), Dropouts(), torch.Generator().manual_seed(0)
    )

    assert adapter.w1.shape == (30, 20)
    assert 0.9 / 20**0.5 < float(adapter.w1.detach().abs().max()) <= 1 / 20**0.5
    assert 0.9 / 4**0.5 < float(adapter.w2_a.detach().abs().max()) <= 1 / 4**0.5
    assert not adapter.w2_b.any()


def test_a_doras_first_lengths_are_those_of_the_layers_columns() -> None:
    layer = a_layer("conv3")
    adapter = DoraLayer(layer, plan_for(layer, rank=2, alpha=2, kind="dora"), Dropouts(), torch.Generator())

    torch.testing.assert_close(adapter.magnitude, layer.weight.square().sum((0, 2, 3), keepdim=True).sqrt())
