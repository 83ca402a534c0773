"""Adapters' tensors cast all at once for a step."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from advisor.settings.config import MemoryConfig, NetworkConfig
from tests.support.tiny import tiny_sd1
from tests.trainer.training.test_step import make_batch, make_config
from trainer.adapters import compute_copies
from trainer.adapters.network import Network
from trainer.models.families.family import BaseModel
from trainer.training.step import Batch, training_loss

KINDS: dict[str, dict[str, Any]] = {
    "lora": {}, "locon": {"kind": "locon", "conv_rank": 2}, "loha": {"kind": "loha"}, "lokr": {"kind": "lokr"},
    "dora": {"kind": "dora"}, "dropouts": {"dropout": 0.3, "rank_dropout": 0.2, "module_dropout": 0.2},
}  # fmt: skip

HALF = MemoryConfig(compute_dtype="bfloat16", base_dtype="bfloat16")


def attach(base: BaseModel, **settings: Any) -> Network:
    """A network that changes the output."""
    config = NetworkConfig.model_validate({"rank": 4, "alpha": 2.0} | settings)
    network = Network.attach(base, config, text_encoder=True)
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.data.add_(torch.randn(parameter.shape, generator=generator) * 0.05)
    network.seed_dropout(3)
    return network


def plain(base: BaseModel, network: Network, batch: Batch) -> tuple[Tensor, dict[str, Tensor | None]]:
    """Loss and gradients where each layer casts its own tensors."""
    loss = training_loss(base, network, batch, make_config())
    loss.backward()
    return loss.detach(), taken(network)


def copied(base: BaseModel, network: Network, batch: Batch) -> tuple[Tensor, dict[str, Tensor | None]]:
    """Loss and gradients by copies."""
    copies = network.copies(MemoryConfig(compute_dtype="float16") if base.dtype == torch.float16 else HALF)
    with copies.in_use():
        loss = training_loss(base, network, batch, make_config())
        loss.backward()
        copies.gather_gradients()
    return loss.detach(), taken(network)


def joined(gradients: dict[str, Tensor | None]) -> Tensor:
    """All of them as one vector."""
    return torch.cat([one.flatten() for one in gradients.values() if one is not None])


def taken(network: Network) -> dict[str, Tensor | None]:
    found = {name: parameter.grad for name, parameter in network.named_parameters()}
    network.zero_grad(set_to_none=True)
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", KINDS)
def test_loss_and_gradients_are_those_of_layers_that_cast_for_themselves(kind: str, dtype: torch.dtype) -> None:
    base = tiny_sd1(dtype=dtype)
    network, batch = attach(base, **KINDS[kind]), make_batch(base)

    wanted_loss, wanted = plain(base, network, batch)
    loss, found = copied(base, network, batch)

    assert torch.equal(loss, wanted_loss)
    assert any(gradient is not None for gradient in wanted.values())
    for name, gradient in wanted.items():
        other = found[name]
        assert (other is None) == (gradient is None), name
        if gradient is not None and other is not None:
            assert other.dtype == torch.float32
            assert torch.equal(other, gradient), name


@pytest.mark.parametrize(("alpha", "dtype"), [(3.0, torch.bfloat16), (2.0, torch.float16)])
def test_other_alphas_and_float16_differ_in_roundings_alone(alpha: float, dtype: torch.dtype) -> None:
    base = tiny_sd1(dtype=dtype)  # float16 rounds numbers below 6e-5 more coarsely, so that half of one is another
    network, batch = attach(base, alpha=alpha), make_batch(base)

    wanted, found = (joined(way(base, network, batch)[1]) for way in (plain, copied))

    assert not torch.equal(found, wanted)
    assert (found - wanted).norm() < 0.05 * wanted.norm()


def test_gradients_are_added_up_in_float32() -> None:
    base = tiny_sd1(dtype=torch.bfloat16)
    network, batch = attach(base), make_batch(base)

    _, once = copied(base, network, batch)
    copies = network.copies(HALF)
    with copies.in_use():
        for _ in range(3):
            training_loss(base, network, batch, make_config()).backward()
            copies.gather_gradients()

    for name, gradient in taken(network).items():
        before = once[name]
        if gradient is not None and before is not None:
            assert torch.equal(gradient, before + before + before), name


def test_gradients_gathered_in_many_parts_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    base = tiny_sd1(dtype=torch.bfloat16)
    network, batch = attach(base), make_batch(base)

    _, wanted = copied(base, network, batch)
    monkeypatch.setattr(compute_copies, "GATHERED_BYTES", 700)
    _, found = copied(base, network, batch)

    for name, gradient in wanted.items():
        other = found[name]
        if gradient is not None and other is not None:
            assert torch.equal(gradient, other), name


def test_there_are_no_copies_in_float32_nor_of_dora_nor_beside_nf4() -> None:
    half = tiny_sd1(dtype=torch.bfloat16)

    assert attach(tiny_sd1()).copies(MemoryConfig(compute_dtype="float32")).tensors == []
    assert attach(half, kind="dora").copies(HALF).tensors == []
    assert attach(half).copies(MemoryConfig(compute_dtype="bfloat16", base_dtype="nf4")).tensors == []


def test_copies_have_the_values_of_the_moment_they_are_put_to_use() -> None:
    base = tiny_sd1(dtype=torch.bfloat16)
    network = attach(base)
    copies = network.copies(HALF)
    adapter = next(iter(network.layers.values()))
    with copies.in_use():
        pass
    adapter.get_parameter("up").data.fill_(0.25)
    adapter.get_parameter("down").data.fill_(1.0)

    with copies.in_use():
        assert adapter.copies["up"].eq(0.25).all()
        assert adapter.copies["down"].eq(0.5).all()  # alpha / rank
    assert adapter.copies == {}


def test_copies_are_put_away_where_a_step_fails() -> None:
    base = tiny_sd1(dtype=torch.bfloat16)
    network = attach(base)
    copies = network.copies(HALF)

    def fail() -> None:
        with copies.in_use():
            training_loss(base, network, make_batch(base), make_config()).backward()
            raise MemoryError

    with pytest.raises(MemoryError):
        fail()

    assert all(low.grad is None for low in copies.tensors)
    assert all(adapter.copies == {} for adapter in network.layers.values())
