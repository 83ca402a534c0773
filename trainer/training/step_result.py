"""What a step gave: its numbers are on their way from the device until they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

import torch
from torch import Tensor

from trainer.optim.optimizer import TrainedPart


class StepResult:
    """Loss, gradient norm and learning rates of one step.

    On a card the numbers are copied without waiting: whoever asks for them waits until the step has been computed.
    """

    def __init__(
        self, numbers: Tensor, rates: Mapping[TrainedPart, float | None], judge: Callable[[float, float], bool]
    ) -> None:
        """Begin to copy.

        Args:
            numbers: loss and gradient norm, on the device.
            rates: the learning rates that the step was made with; None where the optimizer chooses.
            judge: whether loss and gradient norm allow to go on; asked once.
        """
        self.rates = rates
        self._judge = judge
        self._numbers = numbers.to("cpu", non_blocking=True)
        self._copied: torch.cuda.Event | None = None
        if numbers.device.type == "cuda":
            self._copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._copied.record()

    @property
    def is_there(self) -> bool:
        """Whether asking for the numbers waits for nothing."""
        return self._copied is None or bool(self._copied.query())  # type: ignore[no-untyped-call]

    @cached_property
    def _values(self) -> tuple[float, float]:
        if self._copied is not None:
            self._copied.synchronize()
        loss, norm = self._numbers.tolist()
        return loss, norm

    @property
    def loss(self) -> float:
        """The mean over the step's batches."""
        return self._values[0]

    @property
    def gradient_norm(self) -> float:
        """Before clipping."""
        return self._values[1]

    @cached_property
    def is_good(self) -> bool:
        """Loss and gradient are finite, or the scaler is still looking for its scale. To be asked step after step."""
        return self._judge(*self._values)
