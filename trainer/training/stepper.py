"""One optimizer step: forward and backward passes of its batches, clipping, the optimizer, EMA."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from advisor.errors import RunError
from advisor.estimate.shares import share_of
from advisor.run_folder.state_manifest import OPTIMIZER_NAME
from trainer.adapters.adapter import Rows
from trainer.data.training_set import BatchRefs
from trainer.device.choose import free_memory
from trainer.device.device_memory import is_out_of_memory
from trainer.diffusion.processes import process_of
from trainer.optim.ema import Ema
from trainer.optim.guarded_step import decides_on_device, step_if_finite
from trainer.optim.memory_form import check_memory, memory_forms
from trainer.optim.optimizer import Group, TrainedPart, weights_for_use
from trainer.optim.schedule import Schedule
from trainer.ranks.ranks import ALONE, Ranks
from trainer.seeds import generator, seed_of
from trainer.training.context import TrainingContext
from trainer.training.micro_batches import micro_batch, micro_batch_slices
from trainer.training.step import Batch, training_loss
from trainer.training.step_result import StepResult

MAX_SKIPPED_STEPS = 20
"""GradScaler starts high and halves at each overflow; more skipped steps in a row than this are not its search."""
MAX_BAD_LOSSES = 3
"""A loss of NaN or infinity hardly depends on the scale; in float16 fewer than so many in a row are tolerated."""


class Stepper:
    """Makes optimizer steps; what is drawn in one depends on its number alone, not on the steps before it."""

    def __init__(
        self,
        context: TrainingContext,
        groups: Sequence[Group],
        optimizer: torch.optim.Optimizer | None,
        schedule: Schedule,
        *,
        batch_parts: int = 1,
        ranks: Ranks = ALONE,
    ) -> None:
        """Train `groups`; without an optimizer the losses are computed and no weight changes.

        Args:
            batch_parts: into how many micro-batches each batch, or this process's share of one, is split.
            ranks: the processes that compute each step together.
        """
        self._ranks = ranks
        self.context, self.optimizer = context, optimizer
        self._groups, self._schedule, self._batch_parts = tuple(groups), schedule, batch_parts
        self._parameters = [parameter for group in groups for parameter in group.parameters]
        self._process = process_of(context.config)
        self._copies = context.network.copies(context.config.memory)
        is_half = context.config.memory.compute_dtype == "float16"
        self.scaler = torch.amp.GradScaler(context.device.type, enabled=is_half and optimizer is not None)
        self._skips = self._bad_losses = 0
        self._is_updating = False
        self._is_restored = False
        """The optimizer has what a state says that it remembered, and has made no step with it yet."""
        self._ema: Ema | None = None
        if context.config.loss.ema and optimizer is not None:
            trained = {name: one for name, one in context.network.named_parameters() if one.requires_grad}
            self._ema = Ema(trained, context.config.loss.ema_decay)

    def step(self, batches: Sequence[BatchRefs], *, step: int, epoch: int) -> StepResult:
        """Make the step of this number, counted from 0, with all its batches; on a card it may still be computed.

        Raises:
            RanksEnded: another process of the training has ended; no weight was changed.
        """
        rates = self._set_rates(step)
        total = torch.zeros((), device=self.context.device)
        self.scaler.scale(total)  # it finds its scale at the first call, also where this process has no picture
        own = share_of([len(refs) for refs in batches], self._ranks.rank, self._ranks.world_size)
        with self._copies.in_use():
            for number, rows in own:
                for part in self._losses(batches[number], rows, step=step, number=number, epoch=epoch):
                    loss = part / len(batches)
                    if self.optimizer is not None:
                        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
                        self._copies.gather_gradients()
                    total += loss.detach()
        total = self._ranks.sum_gradients(self._parameters, total)
        numbers = self._optimizer_step(total)
        self._after_update(step)
        self._is_updating = False
        return StepResult(numbers, rates, self._is_good)

    def _losses(self, refs: BatchRefs, rows: slice, *, step: int, number: int, epoch: int) -> Iterator[Tensor]:
        """Yield each micro-batch's part of the batch's loss, computed lazily; those of all rows add up to the loss.

        Everything is drawn for the whole batch, whatever rows of it this process computes.
        """
        context, seed = self.context, self.context.config.run.seed
        latents = context.latents.of(refs, epoch)
        text = context.texts.of(refs, epoch)
        drawn = self._process.draw(latents, generator(seed, "noise", step, number))
        context.network.seed_dropout(seed_of(seed, "dropout", step, number))
        batch = Batch(
            latents=latents,
            noise=drawn.noise,
            times=drawn.times,
            levels=drawn.levels,
            loss_weights=context.training_set.loss_weights(refs, context.config.loss.prior_weight),
            token_ids=text.token_ids,
            text=text.states,
            text_weights=text.weights,
            input_noise=drawn.input_noise,
            sizes=context.crops.sizes(refs, epoch),
            mask=None if context.masks is None else context.masks.of(refs, epoch),
        )
        for within in micro_batch_slices(rows.stop - rows.start, self._batch_parts):
            part = slice(rows.start + within.start, rows.start + within.stop)
            is_whole = part == slice(0, len(refs))
            context.network.draw_dropout_of(None if is_whole else Rows(part.start, part.stop, len(refs)))
            of_part = batch if is_whole else micro_batch(batch, part)
            with torch.set_grad_enabled(self.optimizer is not None):
                loss = training_loss(context.base, context.network, of_part.to(context.device), context.config)
            yield loss * ((part.stop - part.start) / len(refs))

    def _optimizer_step(self, loss: Tensor) -> Tensor:
        """Unscale and clip the gradients, then step the optimizer unless loss or gradient norm are not finite.

        Args:
            loss: of the step; a scalar on the device.

        Returns:
            Loss and gradient norm before clipping, on the device.
        """
        if self.optimizer is None:
            return torch.stack([loss, torch.zeros_like(loss)])
        self.scaler.unscale_(self.optimizer)
        norm = get_total_norm([parameter.grad for parameter in self._parameters if parameter.grad is not None])
        numbers = torch.stack([loss, norm.to(loss)])
        # Other optimizers have to wait here for both numbers: a bad gradient never reaches the weights.
        if decides_on_device(self.optimizer) or self.scaler.is_enabled() or _finite(*numbers.tolist()):
            most = self.context.config.optimizer.max_grad_norm
            if most > 0:
                clip_grads_with_norm_(self._parameters, most, norm)
            self._is_updating = True
            self._update_weights(self.optimizer, numbers)
        self.optimizer.zero_grad(set_to_none=True)
        return numbers

    def _update_weights(self, optimizer: torch.optim.Optimizer, numbers: Tensor) -> None:
        """Step the optimizer; where it decides on the device, unless one of the numbers is not finite.

        Raises:
            RunError: what a state says that it remembered is of a form that it cannot go on with.
        """
        try:
            if self.scaler.is_enabled() or not decides_on_device(optimizer):
                self.scaler.step(optimizer)
                self.scaler.update()
            else:
                step_if_finite(optimizer, numbers)
        except Exception as error:  # each optimizer finds out in its own way, and torch checks no shapes when loading
            if not self._is_restored or is_out_of_memory(error):
                raise
            raise RunError(
                f"{OPTIMIZER_NAME} in the run's newest state does not fit this training "
                f"({type(error).__name__}: {error}): delete that state, or begin anew in another run"
            ) from error
        self._is_restored = False

    def _after_update(self, step: int) -> None:
        """Cap the adapters' norms (`network.max_norm`) and update the EMA."""
        if self.optimizer is None:
            return
        if self.context.config.network.max_norm > 0:
            self.context.network.cap_norms(self.context.config.network.max_norm)
        if self._ema is not None:
            self._ema.update(step + 1)

    def abandon_step(self) -> bool:
        """Drop the gradients and memory of a step that failed.

        Returns:
            Whether the weights are those before that step; False if it failed while the optimizer changed them.
        """
        if self.optimizer is not None:
            self.optimizer.zero_grad(set_to_none=True)
        free_memory(self.context.device)
        return not self._is_updating

    @contextmanager
    def weights_for_use(self) -> Iterator[None]:
        """Within, the network holds the weights that are saved, sampled and checked: those of EMA or schedule-free."""
        with weights_for_use(self.optimizer):
            if self._ema is None:
                yield
                return
            with self._ema.used():
                yield

    @contextmanager
    def weights_for_drawing(self) -> Iterator[None]:
        """The same, and afterwards the network holds its weights to the bit: schedule-free's own way back rounds."""
        rounds = getattr(self.optimizer, "eval", None) is not None
        kept = [parameter.detach().clone() for parameter in self._parameters] if rounds else []
        try:
            with self.weights_for_use():
                yield
        finally:
            with torch.no_grad():
                for parameter, before in zip(self._parameters, kept, strict=rounds):
                    parameter.copy_(before)

    def _is_good(self, loss: float, norm: float) -> bool:
        self._bad_losses = 0 if _finite(loss) else self._bad_losses + 1
        self._skips = 0 if _finite(loss, norm) else self._skips + 1
        if not self.scaler.is_enabled():
            return self._skips == 0
        return self._skips <= MAX_SKIPPED_STEPS and self._bad_losses < MAX_BAD_LOSSES

    def _set_rates(self, step: int) -> dict[TrainedPart, float | None]:
        rates: dict[TrainedPart, float | None] = {"unet": 0.0, "text_encoder": 0.0}
        if self.optimizer is None:
            return rates
        factor = self._schedule.factor(step)
        for group, settings in zip(self._groups, self.optimizer.param_groups, strict=True):
            if settings["lr"] is not None:
                settings["lr"] = group.learning_rate * factor
            rates[group.part] = None if settings["lr"] is None else settings["lr"] / group.factor
        return rates

    def weights(self) -> dict[str, Tensor]:
        """All weights of a training state: the network's, and the EMA's where there is one."""
        ema = {} if self._ema is None else self._ema.state()
        return {**self.context.network.state_dict(), **ema}

    @property
    def trained_parts(self) -> frozenset[TrainedPart]:
        """The parts of the network that have a learning rate above 0."""
        return frozenset(group.part for group in self._groups)

    @property
    def optimizer_kind(self) -> str | None:
        """The optimizer's class name, since a state fits no other; None where nothing is trained."""
        return None if self.optimizer is None else type(self.optimizer).__name__

    def state(self) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """The state dicts of optimizer and gradient scaler; None where there is none."""
        optimizer = None if self.optimizer is None else self.optimizer.state_dict()
        return optimizer, self.scaler.state_dict() if self.scaler.is_enabled() else None

    def load_state(self, optimizer: Any, scaler: Any, weights: Mapping[str, Tensor]) -> None:
        """Restore what `state` and `weights` gave, but for the network's own weights."""
        if self.optimizer is not None and optimizer is not None:
            forms = memory_forms(self.optimizer)
            self.optimizer.load_state_dict(optimizer)
            if forms is not None:
                check_memory(self.optimizer, forms)
            self._is_restored = True
        if self.scaler.is_enabled() and scaler:
            self.scaler.load_state_dict(scaler)
        if self._ema is not None:
            self._ema.load(weights)


def _finite(*values: float) -> bool:
    return all(value - value == 0.0 for value in values)
