from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from tests.support.layers import plan_for
from trainer.adapters import Dropouts
from trainer.adapters.lora import LoraLayer

NONE = Dropouts()


def make_linear(dtype: torch.dtype = torch.float32, bias: bool = True) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(6, 5, bias=bias, dtype=dtype).requires_grad_(False)


def make_conv(kernel: int, dtype: torch.dtype = torch.float32, stride: int = 1) -> nn.Conv2d:
    torch.manual_seed(0)
    conv = nn.Conv2d(6, 5, kernel, stride=stride, padding=kernel // 2, dtype=dtype)
    return conv.requires_grad_(False)


def make_adapter(layer: nn.Linear | nn.Conv2d, dropouts: Dropouts = NONE, alpha: float = 1.5) -> LoraLayer:
    adapter = LoraLayer(layer, plan_for(layer, rank=3, alpha=alpha), dropouts, torch.Generator().manual_seed(1))
    nn.init.normal_(adapter.up, generator=torch.Generator().manual_seed(2))
    adapter.attach()
    return adapter


def make_input(layer: nn.Module, dtype: torch.dtype = torch.float32) -> Tensor:
    shape = (2, 6, 8, 4) if isinstance(layer, nn.Conv2d) else (2, 7, 6)
    return torch.randn(shape, generator=torch.Generator().manual_seed(3)).to(dtype).requires_grad_()


def plain(adapter: LoraLayer, x: Tensor) -> Tensor:
    """The same by torch's own operations."""
    layer, scale = adapter.layer, adapter.alpha / adapter.rank * adapter.multiplier
    if isinstance(layer, nn.Conv2d):
        inner = functional.conv2d(x, adapter.down, None, layer.stride, layer.padding)
        whole = functional.conv2d(x, layer.weight, layer.bias, layer.stride, layer.padding)
        return whole + functional.conv2d(inner, adapter.up) * scale
    inner = functional.linear(x, adapter.down)
    return functional.linear(x, layer.weight, layer.bias) + functional.linear(inner, adapter.up) * scale


def gradients(function: Callable[[Tensor], Tensor], adapter: LoraLayer, x: Tensor) -> list[Tensor]:
    out = function(x)
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(4)).to(out.dtype)
    return list(torch.autograd.grad((out * weights).sum(), [x, adapter.down, adapter.up]))


LAYERS = [make_linear(), make_linear(bias=False), make_conv(1), make_conv(3), make_conv(3, stride=2)]


@pytest.mark.parametrize("layer", LAYERS, ids=["linear", "no_bias", "conv1", "conv3", "strided"])
def test_it_gives_what_torchs_own_operations_give(layer: nn.Linear | nn.Conv2d) -> None:
    adapter = make_adapter(layer)
    x = make_input(layer)

    torch.testing.assert_close(layer(x), plain(adapter, x))
    for found, wanted in zip(
        gradients(layer, adapter, x), gradients(lambda x: plain(adapter, x), adapter, x), strict=True
    ):
        torch.testing.assert_close(found, wanted)
    adapter.detach()


@pytest.mark.parametrize("dropouts", [NONE, Dropouts(inner=0.3, ranks=0.3)], ids=["plain", "dropouts"])
@pytest.mark.parametrize("kind", ["linear", "conv1", "conv3", "strided"])
def test_gradients_are_those_of_finite_differences(kind: str, dropouts: Dropouts) -> None:
    layers: dict[str, nn.Linear | nn.Conv2d] = {
        "linear": make_linear(torch.float64),
        "conv1": make_conv(1, torch.float64),
        "conv3": make_conv(3, torch.float64),
        "strided": make_conv(3, torch.float64, stride=2),
    }
    layer = layers[kind]
    adapter = make_adapter(layer, dropouts).double()
    adapter.seed_dropout(5)

    def function(x: Tensor, down: Tensor, up: Tensor) -> Tensor:
        output: Tensor = torch.func.functional_call(adapter, {"down": down, "up": up}, (x,))
        return output

    assert torch.autograd.gradcheck(function, (make_input(layer, torch.float64), adapter.down, adapter.up))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", ["linear", "conv"])
def test_masters_stay_float32_where_the_layer_is_half(kind: str, dtype: torch.dtype) -> None:
    layer = make_linear(dtype) if kind == "linear" else make_conv(1, dtype)
    adapter = make_adapter(layer)
    x = make_input(layer, dtype)

    out = layer(x)
    found = gradients(layer, adapter, x)

    assert out.dtype == dtype
    assert [gradient.dtype for gradient in found] == [dtype, torch.float32, torch.float32]
    exact = make_adapter(layer.float())
    for gradient, wanted in zip(found, gradients(layer, exact, x.detach().float().requires_grad_()), strict=True):
        assert (gradient.float() - wanted).norm() < 0.02 * wanted.norm()


def test_the_input_and_the_rank_wide_product_are_kept_for_the_backward_pass() -> None:
    layer = nn.Linear(64, 64).requires_grad_(False)
    adapter = make_adapter(layer)
    kept: list[Tensor] = []
    x = torch.randn(10, 64, requires_grad=True)

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor.detach()  # the tensor itself would keep its own graph alive

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        layer(x)

    activations = [t for t in kept if t.shape[0] == 10]
    assert [tuple(t.shape) for t in activations] == [(10, 64), (10, adapter.rank)]
    assert activations[0].data_ptr() == x.data_ptr()


def test_it_may_be_computed_a_second_time() -> None:
    layer = make_linear()
    adapter = make_adapter(layer, Dropouts(inner=0.5, ranks=0.5))
    adapter.seed_dropout(7)
    x = make_input(layer)

    once = gradients(layer, adapter, x)
    again = gradients(lambda x: checkpoint(layer, x, use_reentrant=False), adapter, x)

    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))


def test_a_new_adapter_changes_nothing() -> None:
    layer = make_linear()
    x = make_input(layer)
    before = layer(x)

    LoraLayer(layer, plan_for(layer, rank=3, alpha=1.0), NONE, torch.Generator().manual_seed(0)).attach()

    assert torch.equal(layer(x), before)


def test_multiplier_0_is_the_layer_alone() -> None:
    layer = make_linear()
    x = make_input(layer)
    before = layer(x)
    adapter = make_adapter(layer)

    changed = layer(x)
    adapter.multiplier = 0

    assert not torch.equal(changed, before)
    assert torch.equal(layer(x), before)


def test_detaching_leaves_the_layer_as_it_was() -> None:
    layer = make_linear()
    names = set(layer.__dict__)
    keys = list(layer.state_dict())
    adapter = make_adapter(layer)
    assert list(layer.state_dict()) == keys

    adapter.detach()

    assert set(layer.__dict__) == names


def test_dropouts_follow_the_seed_and_stop_in_evaluation() -> None:
    layer = make_linear()
    adapter = make_adapter(layer, Dropouts(inner=0.5))
    x = make_input(layer)

    adapter.seed_dropout(1)
    first = layer(x)
    adapter.seed_dropout(2)
    second = layer(x)
    adapter.seed_dropout(1)
    third = layer(x)
    adapter.eval()

    assert torch.equal(first, third)
    assert not torch.equal(first, second)
    torch.testing.assert_close(layer(x), plain(adapter, x))


def test_a_share_of_adapters_is_left_out_as_a_whole() -> None:
    layer = make_linear()
    adapter = make_adapter(layer, Dropouts(adapters=0.25))
    x = make_input(layer)
    alone = functional.linear(x, layer.weight, layer.bias)

    skipped = 0
    for seed in range(400):
        adapter.seed_dropout(seed * 1000)
        skipped += torch.equal(layer(x), alone)

    assert 70 <= skipped <= 130


def test_rank_dropout_leaves_out_whole_ranks_of_a_sample() -> None:
    layer = make_linear()
    adapter = make_adapter(layer, Dropouts(ranks=0.5))
    adapter.seed_dropout(3)

    mask = adapter._mask(torch.ones(4, 7, 6))

    assert mask is not None
    assert mask.shape == (4, 1, 3)
    assert set(mask.unique().tolist()) == {0.0, 2.0}
