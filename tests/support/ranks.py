"""Trainings by several processes, each of which is a thread here: what they exchange crosses gloo as ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch.distributed import HashStore  # type: ignore[attr-defined]

from advisor.settings.config import TrainingConfig
from trainer.ranks.group import RankGroup
from trainer.ranks.ranks import Ranks
from trainer.runtime.events import Events
from trainer.runtime.interrupts import Interrupt
from trainer.runtime.silent_events import SilentEvents
from trainer.training.prepare import Options, prepare
from trainer.training.train import train


def in_ranks(count: int, work: Callable[[Ranks], Any]) -> list[Any]:
    """What each of so many processes gives, or the exception that it ended with; each lets go of the others then."""
    store = HashStore()
    given: list[Any] = [None] * count

    def rank(number: int) -> None:
        group = RankGroup(store, number, count)
        try:
            given[number] = work(group)
        except Exception as error:
            given[number] = error
        finally:
            group.close()

    threads = [threading.Thread(target=rank, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return given


def train_in_ranks(run: Path, config: TrainingConfig, count: int, **options: Any) -> list[Exception | None]:
    """Prepare and train in so many processes; the errors of each."""

    def work(ranks: Ranks) -> None:
        with Events(run) if ranks.is_first else SilentEvents() as events:
            given = Options(threads=1, **options)
            train(prepare(run, config, given, events=events, interrupt=Interrupt(), ranks=ranks))

    return in_ranks(count, work)
