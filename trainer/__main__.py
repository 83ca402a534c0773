"""`python -P -m trainer RUN`: trains; talks through RUN/log/events.jsonl, and on stderr of failures only.

With `--processes N` this process starts N others, the first of which is the run's: `trainer.train_in_ranks`. With
`--rendezvous` it is one of several that others have started: `trainer.train_distributed`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from trainer.ranks.rendezvous import Rendezvous
from trainer.runtime.interrupts import Interrupt, exit_as
from trainer.runtime.launcher import follow_launcher
from trainer.runtime.quiet_libraries import quieten
from trainer.train_in_ranks import train_in_ranks
from trainer.train_run import train_run


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what the command line names, and give the exit code (docs/interface.md)."""
    given = _parser().parse_args(arguments)
    quieten()
    interrupt = Interrupt()
    is_launched = follow_launcher(interrupt.ask)
    if given.rendezvous is not None:
        from trainer.train_distributed import train_distributed

        return train_distributed(given, given.rendezvous, interrupt, is_launched=is_launched)
    if given.processes > 1:
        return train_in_ranks(given, interrupt, is_launched=is_launched)
    return train_run(given, interrupt, is_launched=is_launched)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -P -m trainer", description="Trains the LoRA of a run folder.")
    parser.add_argument("run", type=Path, help="a run folder, or its loracle.toml")
    parser.add_argument("--device", help="cpu, or a device of torch; left out: what the plan was made for")
    parser.add_argument("--resume", action="store_true", help="go on from the run's newest state")
    parser.add_argument(
        "--skip-broken", action="store_true", help="leave out pictures that cannot be decoded, from now on"
    )
    parser.add_argument("--threads", type=int, help="threads to compute with")
    parser.add_argument("--sharing", type=int, default=1, help="so many trainings share the processor's cores")
    parser.add_argument("--processes", type=int, default=1, help="so many train together, each on a card of its own")
    parser.add_argument("--rendezvous", type=Rendezvous.of_argument, help="where the processes of machines meet")
    parser.add_argument(
        "--tolerate-sysmem-fallback", action="store_true", help="go on where the card's memory spills, slowly"
    )
    return parser


if __name__ == "__main__":
    exit_as(main())
