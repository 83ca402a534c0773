"""Several processes that train one run together: which pictures each takes, how much faster that is, and what it needs.

A step computed by N of them takes as long as the largest share of its pictures, and the exchange of the adapter's
gradients after it: a ring passes 2 (N - 1) / N of their bytes over each link (Patarasuk and Yuan 2009,
doi.org/10.1016/j.jpdc.2008.09.002).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from advisor.dataset.buckets import Size
from advisor.estimate.device_speed import LINK_BYTES_PER_SECOND, Speed
from advisor.estimate.disk import adapter_parameters
from advisor.estimate.shares import most_at_once, share_of
from advisor.estimate.step_work import step_work
from advisor.estimate.vram import vram_bytes
from advisor.families.structure import Structure
from advisor.settings.config import ScheduleConfig, TrainingConfig
from advisor.units import counted

GRADIENT_BYTES = 4
"""Of a trained weight: gradients are exchanged in float32."""


@dataclass(frozen=True)
class Shares:
    """How the pictures of a full step are dealt out."""

    pictures: int
    """Of a step: batch times accumulation."""
    processes: int
    """That have one at least."""
    fewest: int
    """Pictures of the process that has fewest of a step."""
    most: int
    at_once: int
    """The most pictures that one of them computes at once."""
    passes: int
    """The most batches, or pieces of them, that one of them computes one after another."""

    @classmethod
    def of(cls, schedule: ScheduleConfig, processes: int) -> Shares:
        """The shares of so many processes, as far as there are pictures for them."""
        sizes = [schedule.batch_size] * schedule.gradient_accumulation
        used = max(1, min(processes, sum(sizes)))
        shares = [share_of(sizes, rank, used) for rank in range(used)]
        counts = [sum(rows.stop - rows.start for _, rows in share) for share in shares]
        passes = max(len(share) for share in shares)
        return cls(sum(sizes), used, min(counts), max(counts), most_at_once(sizes, used), passes)

    @property
    def sentence(self) -> str:
        """Who takes what."""
        if self.processes == 1:
            return f"A step has {counted(self.pictures, 'picture')}, which one process computes"
        each = str(self.most) if self.fewest == self.most else f"{self.fewest} or {self.most}"
        return f"{self.processes} processes: each takes {each} of the {self.pictures} pictures of a step"


def config_of_share(config: TrainingConfig, shares: Shares) -> TrainingConfig:
    """The configuration whose step is what the busiest process computes of one."""
    update = {"batch_size": shares.at_once, "gradient_accumulation": shares.passes}
    return config.model_copy(update={"schedule": config.schedule.model_copy(update=update)})


def exchanged_bytes(config: TrainingConfig, structure: Structure, processes: int) -> float:
    """Bytes that each process sends in a step, and as many that it gets."""
    gradients = GRADIENT_BYTES * adapter_parameters(config, structure)
    return 2 * (processes - 1) / processes * gradients


def times_faster(
    config: TrainingConfig,
    structure: Structure,
    speeds: Sequence[Speed],
    *,
    size: Size | None = None,
    link_bytes_per_second: float = LINK_BYTES_PER_SECOND,
) -> float:
    """How many times as fast as on the first card a step is; never more than the pictures of a step allow.

    Args:
        speeds: of each card, the slowest of which all wait for.
        size: of the pictures in pixels; None: the resolution's square.
        link_bytes_per_second: between two of them; without NVLink it is the slots'.
    """
    shares = Shares.of(config.schedule, len(speeds))
    own = step_work(config_of_share(config, shares), structure, size=size)
    alone = speeds[0].seconds(step_work(config, structure, size=size))
    used = speeds[: shares.processes]
    exchange = exchanged_bytes(config, structure, shares.processes) / link_bytes_per_second
    return alone / (max(speed.seconds(own) for speed in used) + exchange)


def card_bytes(config: TrainingConfig, structure: Structure, shares: Shares, *, size: Size | None = None) -> int:
    """The memory that a step takes of each card."""
    return vram_bytes(config_of_share(config, shares), structure, size=size)
