"""A training's memory and FLOPs, from the real step on fake tensors: `python -P -m trainer.simulate.step --family sd1`.

Modules, adapters, loss, optimizer and their order are the training's own; only numbers are missing. So the bytes are
exact but for what a GPU's own libraries take.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from advisor.dataset.buckets import Size
from advisor.estimate.vram import OPTIMIZER_BYTES
from advisor.families import family as family_facts
from advisor.families.structure import Structure
from advisor.settings.config import QUANTISED, TrainingConfig, parse_config
from advisor.units import MIB, gib
from trainer.adapters.compute_copies import ComputeCopies
from trainer.adapters.network import Network
from trainer.device.choose import COMPUTE_DTYPES
from trainer.device.mover import Copy, PlainMover
from trainer.device.swapped_blocks import swap_blocks
from trainer.layers.quantised_layers import quantise
from trainer.models.families import TRAINER_FAMILIES
from trainer.models.families.family import BaseModel, Conditioning
from trainer.optim.optimizer import TRAINED_PARTS, make_optimizer, trained_groups
from trainer.simulate.live_bytes import Calls, Launches, LiveBytes, Operations, TensorRole
from trainer.training.micro_batches import micro_batch_slices
from trainer.training.step import Batch, sample_losses

CPU = torch.device("cpu")
VAE_DTYPE = torch.float32


@dataclass(frozen=True)
class Measured:
    """What was counted."""

    step: dict[TensorRole, int]
    """Bytes at the peak of the second step, by part; in the first the optimizer's state does not exist."""
    caching_bytes: int
    """Peak while an image of this size goes through the VAE; the other networks are elsewhere then."""
    sampling_bytes: int
    """Peak while an image of this size is drawn between two steps."""
    operations: int
    """Multiplications and additions of one step."""

    @property
    def step_bytes(self) -> int:
        """The step's peak."""
        return sum(self.step.values())


class Simulation:
    """A training on tensors without data, at one size of images."""

    def __init__(self, config: TrainingConfig, structure: Structure, size: Size, *, parts: int = 1) -> None:
        """Store the inputs; each measurement builds its own networks.

        Args:
            size: width and height in pixels.
            parts: into how many each batch is split.
        """
        self._config, self._structure, self._parts = config, structure, parts
        self._family = TRAINER_FAMILIES[config.model.family]
        self._width, self._height = size

    def measured(self, *, with_operations: bool = False) -> Measured:
        """All of it."""
        return Measured(self.step(), self.caching(), self.sampling(), self.operations() if with_operations else 0)

    def step(self) -> dict[TensorRole, int]:
        """Bytes at the peak of a step after the first, by part."""
        with FakeTensorMode(), LiveBytes() as live:
            step = self._step(live)
            if self._config.memory.swapped_blocks:
                step()  # which blocks follow one another is known from then on
            live.forget_peak()
            step()
            return dict(live.peak)

    def operations(self) -> int:
        """Operations of a step."""
        with FakeTensorMode():
            step = self._step(LiveBytes())
            with Operations() as counted:
                step()
            return int(counted.total)

    def calls(self) -> int:
        """Operations that torch dispatches from the batch to the gradients; the optimizer's are few on a card."""
        with FakeTensorMode():
            step = self._step(LiveBytes(), updates=False)
            with Calls() as counted:
                step()
            return int(counted.total)

    def launches(self) -> Launches:
        """Operations that start work on a card, from the batch to the gradients."""
        with FakeTensorMode():
            step = self._step(LiveBytes(), updates=False)
            counted = Launches()
            with counted:
                step()
            return counted

    def caching(self) -> int:
        """Peak bytes while an image goes through the VAE; the other networks are elsewhere then."""
        with FakeTensorMode(), LiveBytes() as live:
            base = self._base(live)
            base = replace(base, denoiser=None, text_encoders=())
            live.forget_peak()
            image = torch.empty(1, 3, self._height, self._width)
            self._family.encode_images(base, image, torch.Generator())
            return sum(live.peak.values())

    def reading(self) -> int:
        """Peak bytes while a caption of the greatest length is read; the other networks are elsewhere then."""
        with FakeTensorMode(), LiveBytes() as live:
            base = self._base(live)
            base = replace(base, vae=None, denoiser=None)
            live.forget_peak()
            self._text(base, 1)
            return sum(live.peak.values())

    def sampling(self) -> int:
        """Peak bytes while an image is drawn between two steps: the denoiser's two answers at once, then the VAE."""
        with FakeTensorMode(), LiveBytes() as live:
            whole = self._base(live)
            network = self._network(whole, live)
            copies = self._copies(network, live)
            trained = sum(parameter.numel() for parameter in network.parameters())
            text = self._text(whole, 2)
            if self._config.memory.cache_text:
                whole = replace(whole, text_encoders=())
            vae = sum(parameter.numel() * 4 for parameter in whole.vae.parameters())
            live.forget_peak()
            noisy = torch.empty(2, *self._latent_shape(), dtype=whole.dtype)
            with torch.no_grad():
                self._family.predict(whole, noisy, whole.middle_time.expand(2), text)
            drawing = sum(live.peak.values()) - vae
            live.forget_peak()
            self._family.decode_latents(whole, torch.empty(1, *self._latent_shape()))
            del copies
            optimizer = int(trained * OPTIMIZER_BYTES.get(self._config.optimizer.name, 8))
            return int(max(drawing, sum(live.peak.values()))) + optimizer

    def drawing_operations(self) -> tuple[int, int]:
        """Operations of a denoising step with and without the prompt at once, and of decoding its image."""
        with FakeTensorMode(), torch.no_grad():
            live = LiveBytes()
            base = self._base(live)
            self._network(base, live)
            text = self._text(base, 2)
            noisy = torch.empty(2, *self._latent_shape(), dtype=base.dtype)
            with Operations() as denoising:
                self._family.predict(base, noisy, base.middle_time.expand(2), text)
            with Operations() as decoding:
                self._family.decode_latents(base, torch.empty(1, *self._latent_shape()))
            return int(denoising.total), int(decoding.total)

    def _step(self, live: LiveBytes, *, updates: bool = True) -> Callable[[], None]:
        """What makes a step of everything that a training has in memory.

        Args:
            updates: with the optimizer; else the step ends with the gradients.
        """
        base = replace(self._base(live), vae=None)
        network = self._network(base, live)
        cached = self._text(base, self._config.schedule.batch_size) if self._config.memory.cache_text else None
        if cached is not None:
            base = replace(base, text_encoders=())
        groups = trained_groups(self._config.optimizer, {part: network.parameters_of(part) for part in TRAINED_PARTS})
        optimizer = None
        if updates:
            optimizer = make_optimizer(self._config.optimizer, groups, device=CPU, relative_step=False, warn=_silent)
        parameters = [parameter for group in groups for parameter in group.parameters]
        if optimizer is not None:
            _fill(optimizer, parameters, live)
        copies = self._copies(network, live)
        live.gradients_of([*parameters, *copies.tensors])
        return lambda: self._make_step(base, network, copies, optimizer, parameters, cached=cached, live=live)

    def _make_step(
        self,
        base: BaseModel,
        network: Network,
        copies: ComputeCopies,
        optimizer: torch.optim.Optimizer | None,
        parameters: Sequence[nn.Parameter],
        *,
        cached: Conditioning | None,
        live: LiveBytes,
    ) -> None:
        """As `trainer.training.stepper` makes it."""
        count = self._config.schedule.batch_size
        with copies.in_use():
            for part in micro_batch_slices(count, self._parts) * self._config.schedule.gradient_accumulation:
                losses = sample_losses(
                    base, network, self._batch(base.middle_time.expand(part.stop - part.start), cached), self._config
                )
                (losses.sum() / count).backward()  # type: ignore[no-untyped-call]
                del losses
                with live.counting_as("gradients"):
                    copies.gather_gradients()
        if optimizer is None:
            return
        norm = get_total_norm([parameter.grad for parameter in parameters if parameter.grad is not None])
        clip_grads_with_norm_(parameters, self._config.optimizer.max_grad_norm, norm)
        with live.counting_as("optimizer"):
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def _base(self, live: LiveBytes) -> BaseModel:
        with live.counting_as("base"):
            dtype = COMPUTE_DTYPES[self._config.memory.compute_dtype]
            base = self._family.build(self._structure, dtype=dtype, vae_dtype=VAE_DTYPE, device=CPU)
            if self._config.memory.quantised is not None:
                quantise(base.denoiser, self._config.memory.quantised)
                for text_encoder in base.text_encoders if family_facts(base.family.name).quantised_text else ():
                    quantise(text_encoder, "int8")
            swap_blocks(base.denoiser, self._structure, self._config, _UncountedRoom(live))
            return base.with_slices(self._config.memory)

    def _network(self, base: BaseModel, live: LiveBytes) -> Network:
        config = self._config
        trains_text = config.optimizer.trains_text_encoder
        with live.counting_as("adapter"):
            network = Network.attach(
                base, config.network, text_encoder=trains_text, clip_skip=config.model.clip_skip,
                generator=torch.Generator(),
            )  # fmt: skip
        if config.memory.gradient_checkpointing:
            self._family.enable_gradient_checkpointing(
                base, text_encoder=trains_text, blocks=config.memory.checkpointed_blocks
            )
        return network

    def _copies(self, network: Network, live: LiveBytes) -> ComputeCopies:
        with live.counting_as("adapter"):
            return network.copies(self._config.memory)

    def _batch(self, times: Tensor, cached: Conditioning | None) -> Batch:
        count = times.shape[0]
        latents = (count, *self._latent_shape())
        text = None if cached is None else cached.part(slice(0, count))
        return Batch(
            latents=torch.empty(latents),
            noise=torch.empty(latents),
            times=times,
            levels=torch.empty(count),
            loss_weights=torch.empty(count),
            token_ids=self._token_ids(count) if text is None else (),
            text=text,
            sizes=torch.empty(count, 6),
        )

    def _text(self, base: BaseModel, count: int) -> Conditioning:
        with torch.no_grad():
            return self._family.encode_text(base, self._token_ids(count), clip_skip=self._config.model.clip_skip)

    def _token_ids(self, count: int) -> tuple[Tensor, ...]:
        return self._family.blank_tokens(self._structure, count, chunks=self._config.dataset.chunks)

    def _latent_shape(self) -> tuple[int, ...]:
        return self._family.latent_shape(self._structure, self._width, self._height)


class _UncountedRoom(PlainMover):
    """Brings blocks to the device; what waits for it is none of the device's memory."""

    def __init__(self, live: LiveBytes) -> None:
        self._live = live

    def room(self, number: int) -> Tensor:
        with self._live.counting_as(None):
            return super().room(number)

    def start(self, waiting: Tensor, device: torch.device) -> Copy:
        with self._live.counting_as("base"):
            return super().start(waiting, device)


def _fill(optimizer: torch.optim.Optimizer, parameters: Sequence[nn.Parameter], live: LiveBytes) -> None:
    """Let the optimizer make the memory that it has from its first step on."""
    for parameter in parameters:
        parameter.grad = torch.empty_like(parameter)
    with live.counting_as("optimizer"):
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _silent(code: str, message: str) -> None:
    """Drop the warning."""


def measured_config(
    family: str,
    *,
    batch_size: int = 1,
    rank: int = 32,
    text: str = "trained",
    checkpointing: bool = False,
    dtype: str = "bfloat16",
    base_dtype: str | None = None,
    **settings: Any,
) -> TrainingConfig:
    """A configuration for measuring.

    Args:
        text: `trained`; `encoded` in each step; `cached`.
        base_dtype: what the denoiser is kept in; None: `dtype`.
        settings: further ones by group.
    """
    return parse_config(
        {
            "model": {"path": "", "family": family, "prediction": family_facts(family).prediction or "epsilon"},
            "dataset": {"images": ""} | settings.get("dataset", {}),
            "network": {"rank": rank, "alpha": rank / 2} | settings.get("network", {}),
            "optimizer": {"text_encoder_learning_rate": 5e-5 if text == "trained" else 0.0}
            | settings.get("optimizer", {}),
            "schedule": {"batch_size": batch_size} | settings.get("schedule", {}),
            "memory": {
                "gradient_checkpointing": checkpointing,
                "compute_dtype": dtype,
                "base_dtype": base_dtype or dtype,
                "cache_text": text == "cached",
            }
            | settings.get("memory", {}),
            "saving": {"name": "measured"},
        }
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line names and print it."""
    given = _parser().parse_args(arguments)
    config = measured_config(
        given.family,
        batch_size=given.batch,
        rank=given.rank,
        text=given.text or ("trained" if TRAINER_FAMILIES[given.family].trains_text_encoders else "cached"),
        checkpointing=given.checkpointing,
        dtype=given.dtype,
        base_dtype=given.base_dtype,
        schedule={"gradient_accumulation": given.accumulation},
        network={"conv_rank": given.conv_rank, "kind": "locon" if given.conv_rank else "lora"},
    )
    structure = family_facts(given.family).standard
    assert structure is not None
    size = given.width or given.resolution, given.height or given.resolution
    found = Simulation(config, structure, size, parts=given.parts).measured(with_operations=True)
    if given.json:
        print(json.dumps(asdict(found) | {"step_bytes": found.step_bytes}, indent=1))  # noqa: T201
    else:
        print("\n".join(_lines(found)))  # noqa: T201
    return 0


def _lines(found: Measured) -> Iterator[str]:
    yield f"step      {gib(found.step_bytes)}"
    for part, number in found.step.items():
        yield f"  {part:<12} {number / MIB:9,.1f} MiB"
    yield f"caching   {gib(found.caching_bytes)}"
    yield f"sampling  {gib(found.sampling_bytes)}"
    yield f"{found.operations / 1e12:.3f} million million operations a step"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -P -m trainer.simulate.step", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--family", choices=sorted(TRAINER_FAMILIES), default="sd1")
    parser.add_argument("--batch", type=int, default=1, help="pictures in a batch")
    parser.add_argument("--parts", type=int, default=1, help="into how many the batch is split")
    parser.add_argument("--accumulation", type=int, default=1, help="batches in a step")
    parser.add_argument("--resolution", type=int, default=512, help="side of a square picture in pixels")
    parser.add_argument("--width", type=int, help="of another picture, in pixels")
    parser.add_argument("--height", type=int, help="of another picture, in pixels")
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--conv-rank", type=int, default=0, help="above 0: a LoCon")
    parser.add_argument("--text", choices=("trained", "encoded", "cached"), help="usual: trained, where it can be")
    parser.add_argument("--dtype", choices=sorted(COMPUTE_DTYPES), default="bfloat16")
    parser.add_argument("--base-dtype", choices=QUANTISED, help="what the denoiser is kept in")
    parser.add_argument("--checkpointing", action="store_true")
    parser.add_argument("--json", action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(main())
