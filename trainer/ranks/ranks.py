"""What the processes of a training do together; here there is one, to which nothing has to be told.

The first process (rank 0) is the run's: it alone writes and is asked to end. The others compute their shares, and end
when it is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from advisor.errors import LoraError, MemoryFacts, OutOfMemory, TrainingStopped

if TYPE_CHECKING:  # a run that is refused is refused before torch is imported
    from torch import Tensor

T = TypeVar("T")


class Ranks:
    """The one process of a training."""

    rank = 0
    """Of this process."""
    world_size = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes the run."""
        return self.rank == 0

    def from_first(self, make: Callable[[], T]) -> T:
        """What the first process makes, given to all of them; the others wait."""
        return make()

    def first_then_others(self, make: Callable[[], T]) -> T:
        """What each process makes, the first before the others, which then find what it has written."""
        return make()

    def as_first(self, tensors: Sequence[Tensor]) -> None:
        """Give the tensors the values that they have in the first process."""

    def sum_gradients(self, parameters: Sequence[Tensor], loss: Tensor) -> Tensor:  # noqa: ARG002
        """Add up all processes' gradients, so that each has the step's; gives the sum of their losses.

        A parameter has no gradient afterwards where none of the processes had one.

        Args:
            loss: a scalar on the parameters' device, in float32.
        """
        return loss


ALONE = Ranks()


@dataclass(frozen=True)
class Told:
    """Why a process ended, as it told the others."""

    code: str
    """As in a `failed` event."""
    message: str
    memory: MemoryFacts | None = None


class RanksEnded(Exception):
    """Another process of the training has ended, so that this one cannot go on."""

    def __init__(self, told: Told | None = None) -> None:
        """Hold what it told; None: nothing, it was killed, or the first process has simply ended."""
        super().__init__("another process of the training has ended" if told is None else told.message)
        self.told = told

    def error(self) -> Exception:
        """The error with which the run ends, as if the first process had met it."""
        if self.told is None:
            return TrainingStopped(
                "One of the processes that train this run together has ended without a word; what was trained is "
                "saved. `--resume` goes on, with as many processes as you like"
            )
        if self.told.code == "out_of_memory":
            return OutOfMemory(self.told.message, self.told.memory or MemoryFacts())
        if self.told.code == "defect":
            return RuntimeError(self.told.message)
        return TrainingStopped(self.told.message)


def told_of(error: Exception, code: str) -> Told:
    """What a process tells of the error that ends it."""
    if isinstance(error, OutOfMemory):
        return Told(code, str(error), error.facts)
    return Told(code, str(error) if isinstance(error, LoraError) else f"{type(error).__name__}: {error}")
