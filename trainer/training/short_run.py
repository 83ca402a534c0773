"""`python -P -m trainer.training.short_run RUN --out DIR`: some real steps of a run's training at its largest size.

All is as in the training (loader, caches, networks, optimizer, ladder), but nothing is saved: events go to DIR, and the
run keeps only the caches, which its training will use.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path

from advisor.errors import LoraError
from advisor.run_folder.events import Finished
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import training
from trainer.data.training_set import BatchRefs, SampleRef, TrainingSet
from trainer.device.choose import peak_memory_bytes, peak_reserved_bytes
from trainer.runtime.disk_space import waiting_for
from trainer.runtime.events import Events
from trainer.runtime.failure_codes import failed_event
from trainer.runtime.importing import keep_imported
from trainer.runtime.interrupts import Interrupt, Interrupted
from trainer.runtime.launcher import follow_launcher
from trainer.runtime.quiet_libraries import quieten
from trainer.training.failures import TRAINING
from trainer.training.prepare import Options, Prepared, prepare

WARMUP_STEPS = 2
"""The first have memory and kernels to fetch."""
LEAST_STEPS, LEAST_SECONDS = 5, 20.0
"""Steps are timed until there are so many, or until so long; at least one."""


def probe(prepared: Prepared) -> None:
    """Make and time the steps; the event `finished` holds their median."""
    reporter, stepper = prepared.reporter, prepared.stepper
    schedule, events = reporter.config.schedule, reporter.events
    batch = largest_batch(stepper.context.training_set, schedule.batch_size)
    with waiting_for(prepared.disk), reporter.during(TRAINING):
        events.phase("train", WARMUP_STEPS + LEAST_STEPS)
        seconds = list[float]()
        began = time.perf_counter()
        for step in range(WARMUP_STEPS + LEAST_STEPS):
            start = time.perf_counter()
            stepper.step([batch] * schedule.gradient_accumulation, step=step, epoch=0)
            if step >= WARMUP_STEPS:
                seconds.append(time.perf_counter() - start)
            events.progress("train", step + 1, WARMUP_STEPS + LEAST_STEPS)
            reporter.interrupt.check()
            if seconds and time.perf_counter() - began > LEAST_SECONDS:
                break
        events.send(
            Finished(
                device=reporter.device.type,
                size=reporter.largest,
                steps=len(seconds),
                seconds_per_step=statistics.median(seconds),
                peak_memory_bytes=peak_memory_bytes(reporter.device),
                peak_reserved_bytes=peak_reserved_bytes(reporter.device),
                batch_parts=prepared.ladder.batch_parts,
            )
        )


def largest_batch(training_set: TrainingSet, batch_size: int) -> BatchRefs:
    """A full batch of the largest size, its images again and again where there are too few."""
    largest = max(item.bucket[0] * item.bucket[1] for item in training_set.items)
    own = [item for item in training_set.items if item.bucket[0] * item.bucket[1] == largest]
    first = own[0].bucket
    refs = (SampleRef(item.index, 0) for item in own if item.bucket == first)
    return tuple(islice(cycle(refs), batch_size))


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the steps, and give the exit code (docs/interface.md)."""
    parser = argparse.ArgumentParser(
        prog="python -P -m trainer.training.short_run", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="a folder for the events")
    parser.add_argument("--device")
    given = parser.parse_args(arguments)
    quieten()
    keep_imported()
    interrupt = Interrupt()
    is_launched = follow_launcher(interrupt.ask)
    with Events(given.out) as events:
        try:
            with interrupt.listening():
                run = RunFolder.given(given.run)
                with training(run, "the measuring trainer", warn=_no_locks(events), is_launched=is_launched) as check:
                    events.check_first(check)
                    options = Options(given.device, is_probe=True)
                    probe(prepare(run.path, run.read_config(), options, events=events, interrupt=interrupt))
        except LoraError as error:
            events.send(failed_event(error))
            print(error, file=sys.stderr)  # noqa: T201
            return error.exit_code
        except (Interrupted, KeyboardInterrupt):
            return Interrupted.exit_code
    return 0


def _no_locks(events: Events) -> Callable[[str], None]:
    return lambda message: events.warning("no_locks", message)


if __name__ == "__main__":
    sys.exit(main())
