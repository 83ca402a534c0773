from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from advisor.settings.config import DatasetConfig, LossConfig, ModelConfig, NetworkConfig, SavingConfig, TrainingConfig
from tests.support.tiny import TINY_FOLDER, TINY_SD1, tiny_sd1
from trainer.adapters.network import Network
from trainer.diffusion.noise import draw_noise, noise_schedule
from trainer.models.families.family import BaseModel
from trainer.models.families.stable_diffusion import Sd1
from trainer.training.step import Batch, sample_losses, text_conditioning, training_loss

CPU, META = torch.device("cpu"), torch.device("meta")


def make_config(**groups: dict[str, Any]) -> TrainingConfig:
    return TrainingConfig(
        model=ModelConfig.model_validate({"path": "x", "family": "sd1"} | groups.get("model", {})),
        dataset=DatasetConfig(images="x"),
        loss=LossConfig.model_validate(groups.get("loss", {})),
        saving=SavingConfig(name="x"),
    )


def make_batch(base: BaseModel, *, count: int = 2, chunks: int = 1, loss: LossConfig | None = None) -> Batch:
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(count, base.structure.unet.in_channels, 8, 16, generator=generator)
    draw = draw_noise(latents, loss or LossConfig(), noise_schedule(), generator)
    token_ids = Sd1().tokenize(base, ["a cat", "b"][:count], chunks=chunks)
    return Batch(
        latents=latents, noise=draw.noise, times=draw.times, levels=draw.levels,
        loss_weights=torch.ones(count), token_ids=token_ids, input_noise=draw.input_noise,
    )  # fmt: skip


def attach(base: BaseModel, *, text_encoder: bool = True, **settings: object) -> Network:
    """A network that changes the output."""
    network = Network.attach(
        base, NetworkConfig.model_validate({"rank": 4, "alpha": 4.0} | settings), text_encoder=text_encoder
    )
    generator = torch.Generator().manual_seed(1)
    for adapter in network.layers.values():
        torch.nn.init.normal_(adapter.get_parameter("up"), std=0.05, generator=generator)
    return network


def gradients(base: BaseModel, network: Network, batch: Batch, config: TrainingConfig) -> list[Tensor]:
    training_loss(base, network, batch, config).backward()
    return [parameter.grad for parameter in network.parameters() if parameter.grad is not None]


class OneDevice(TorchDispatchMode):
    """Refuses operations whose tensors lie on other devices than `device`; plain numbers on the CPU count as well."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.device = device

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves((args, kwargs, out)):
            assert not isinstance(leaf, Tensor) or leaf.device.type == self.device.type, (func, leaf.device)
        return out


def test_gradients_reach_every_adapter_and_nothing_else() -> None:
    base = tiny_sd1()
    network = attach(base)

    found = gradients(base, network, make_batch(base), make_config())

    assert len(found) == len(list(network.parameters()))
    assert all(bool(gradient.any()) for gradient in found)
    networks = (base.denoiser, base.vae, *base.text_encoders)
    assert all(parameter.grad is None for part in networks for parameter in part.parameters())


def test_checkpointing_gives_the_same_gradients() -> None:
    base = tiny_sd1()
    network = attach(base, dropout=0.2, rank_dropout=0.2)
    network.seed_dropout(3)
    plain = [gradient.clone() for gradient in gradients(base, network, make_batch(base), make_config())]
    network.zero_grad()

    base.family.enable_gradient_checkpointing(base, text_encoder=True)
    checkpointed = gradients(base, network, make_batch(base), make_config())

    for one, other in zip(plain, checkpointed, strict=True):
        torch.testing.assert_close(one, other)


def test_checkpointing_keeps_less() -> None:
    def kept_bytes(*, checkpointed: bool) -> int:
        base = tiny_sd1()
        network = attach(base)
        if checkpointed:
            base.family.enable_gradient_checkpointing(base, text_encoder=True)
        kept: dict[int, int] = {}
        weights = {p.data_ptr() for part in (base.denoiser, base.text_encoders[0], network) for p in part.parameters()}

        def keep(tensor: Tensor) -> Tensor:
            if tensor.data_ptr() not in weights:
                kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor.detach()  # the tensor itself would keep its own graph alive

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            training_loss(base, network, make_batch(base), make_config())
        return sum(kept.values())

    assert kept_bytes(checkpointed=True) < 0.5 * kept_bytes(checkpointed=False)


def test_without_adapters_of_its_own_the_text_encoder_is_not_trained_through() -> None:
    base = tiny_sd1()
    network = attach(base, text_encoder=False)
    batch = make_batch(base)

    text = text_conditioning(base, network, batch.token_ids, 1)

    assert not text["states"].requires_grad


def test_cached_text_gives_the_same_loss() -> None:
    base = tiny_sd1()
    network = attach(base, text_encoder=False)
    batch = make_batch(base, chunks=3)
    cached = replace(batch, text=text_conditioning(base, network, batch.token_ids, 2), token_ids=())
    config = make_config(model={"clip_skip": 2})

    assert torch.equal(training_loss(base, network, batch, config), training_loss(base, network, cached, config))


def test_a_batch_in_two_parts_has_the_whole_batchs_losses() -> None:
    base = tiny_sd1()
    network = attach(base)
    batch = make_batch(base)
    each = ("latents", "noise", "times", "levels", "loss_weights")
    tokens = batch.token_ids[0]
    half = [
        Batch(
            **{name: getattr(batch, name)[index : index + 1] for name in each},
            token_ids=(tokens[index : index + 1],),
        )
        for index in range(2)
    ]

    whole = sample_losses(base, network, batch, make_config())
    parts = torch.cat([sample_losses(base, network, part, make_config()) for part in half])

    torch.testing.assert_close(whole, parts)


def test_loss_weights_scale_each_pictures_loss() -> None:
    base = tiny_sd1()
    network = attach(base)
    batch = make_batch(base)

    plain = sample_losses(base, network, batch, make_config())
    weighted = sample_losses(base, network, replace(batch, loss_weights=torch.tensor([1.0, 0.5])), make_config())

    torch.testing.assert_close(weighted, plain * torch.tensor([1.0, 0.5]))


def test_a_mask_in_pixels_is_reduced_by_area() -> None:
    base = tiny_sd1()
    network = attach(base)
    batch = make_batch(base)
    latent_mask = torch.zeros(2, 1, 8, 16)
    latent_mask[:, :, :, :8] = 1
    pixel_mask = latent_mask.repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)

    by_latents = sample_losses(base, network, replace(batch, mask=latent_mask), make_config())
    by_pixels = sample_losses(base, network, replace(batch, mask=pixel_mask), make_config())
    whole = sample_losses(base, network, batch, make_config())

    torch.testing.assert_close(by_latents, by_pixels)
    assert bool((by_latents < 0.8 * whole).all())


def test_input_perturbation_leaves_the_target_clean() -> None:
    base = tiny_sd1()
    network = attach(base)
    loss = LossConfig(input_perturbation=0.5)
    batch = make_batch(base, loss=loss)
    config = make_config(loss=loss.model_dump())

    with torch.no_grad():
        perturbed = sample_losses(base, network, batch, config)
        clean = sample_losses(base, network, replace(batch, input_noise=None), config)

    assert not torch.equal(perturbed, clean)
    assert batch.input_noise is not None


def test_a_model_of_other_channels_tokens_and_prediction_is_trained_alike() -> None:
    base = tiny_sd1(TINY_FOLDER)
    network = attach(base)
    ids = torch.randint(0, 60, (2, 3, 24), generator=torch.Generator().manual_seed(0))
    batch = replace(make_batch(tiny_sd1(TINY_FOLDER)), token_ids=(ids,))

    found = gradients(base, network, batch, make_config(model={"prediction": "v_prediction"}))

    assert len(found) == len(list(network.parameters()))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_near_float32(dtype: torch.dtype) -> None:
    exact, half = tiny_sd1(), tiny_sd1()
    for part in (half.denoiser, *half.text_encoders):
        part.to(dtype)
    batch = make_batch(exact)

    with torch.no_grad():
        wanted = training_loss(exact, attach(exact), batch, make_config())
        found = training_loss(half, attach(half), batch, make_config())

    assert found.dtype == torch.float32
    assert abs(found - wanted) < 0.02 * wanted


@pytest.mark.parametrize("checkpointed", [False, True])
@pytest.mark.parametrize("loss", [{}, {"min_snr_gamma": 5.0, "kind": "huber", "debiased": True}])
def test_nothing_in_the_step_is_on_another_device_or_looks_at_data(loss: dict[str, Any], checkpointed: bool) -> None:
    base = Sd1().build(TINY_SD1, dtype=torch.bfloat16, vae_dtype=torch.float32, device=META)
    network = Network.attach(base, NetworkConfig(rank=4), text_encoder=True)
    if checkpointed:
        base.family.enable_gradient_checkpointing(base, text_encoder=True)
    batch = make_batch(tiny_sd1(), chunks=3).to(META)

    with OneDevice(META):
        training_loss(base, network, batch, make_config(loss=loss)).backward()

    assert all(p.grad is not None and p.grad.is_meta for p in network.parameters())


def test_the_step_runs_on_fake_tensors() -> None:
    shapes = make_batch(tiny_sd1(), chunks=1)

    with FakeTensorMode():
        base = Sd1().build(TINY_SD1, dtype=torch.bfloat16, vae_dtype=torch.float32, device=CPU)
        network = Network.attach(base, NetworkConfig(rank=4, dropout=0.1), text_encoder=True)
        optimizer = torch.optim.AdamW(network.parameters(), fused=True)
        batch = Batch(
            latents=torch.empty(shapes.latents.shape), noise=torch.empty(shapes.noise.shape),
            times=torch.zeros(2, dtype=torch.int64), levels=torch.empty(2), loss_weights=torch.empty(2),
            token_ids=(torch.zeros(shapes.token_ids[0].shape, dtype=torch.int64),),
        )  # fmt: skip
        for _ in range(2):
            training_loss(base, network, batch, make_config()).backward()
            optimizer.step()
            optimizer.zero_grad()
