"""Trials of a sweep on a Ray cluster: a child process gives them out, and what it tells of each is followed here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advisor.errors import LoraError, RunError
from trainer.runtime.machine_limits import limit_sentence
from wizard.exit_codes import INTERRUPTED, STOPPED, TrainerBroke
from wizard.processes.child import WINDOWS_CTRL_C, child_command
from wizard.processes.telling_child import run_telling
from wizard.processes.temporary_folder import temporary_folder
from wizard.show.list_summary import RunOutcome

DRIVER_MODULE, TRIAL_MODULE = "trainer.cluster.sweep", "wizard.commands.sweep_trial"
GRACE_SECONDS = 120.0
"""So long the trials, which are at a step each, may take to save their work when the sweep is ended."""
LOG_BYTES = 4000


@dataclass(frozen=True)
class ClusterSweep:
    """What is given out."""

    address: str
    home: Path
    """The folder of the trials, on every machine."""
    runs: tuple[Path, ...]
    epochs: int
    """Of a whole trial."""
    on_cards: bool
    device: str | None = None
    skip_broken: bool = False
    rungs: tuple[int, ...] = ()
    """Epochs after which those that fall behind are stopped."""

    def document(self) -> dict[str, object]:
        """As the child reads it (`trainer.cluster.sweep.SweepSpec`)."""
        cache_from = str(self.runs[0])
        return {
            "address": self.address,
            "home": str(self.home),
            "runs": [str(run) for run in self.runs],
            "module": TRIAL_MODULE,
            "options": {"skip_broken": self.skip_broken, "device": self.device, "cache_from": cache_from},
            "on_cards": self.on_cards,
            "rungs": list(self.rungs),
            "epochs": self.epochs,
        }


@dataclass
class Followed:
    """What was told of the trials so far."""

    tell: Callable[[str], object]
    outcomes: dict[Path, RunOutcome] = field(default_factory=dict)
    failure: LoraError | None = None
    is_over: bool = False

    def after(self, event: Mapping[str, Any]) -> None:
        """Take in a line of the child's."""
        run = Path(str(event.get("run", "")))
        match event["event"]:
            case "trial_began":
                self.tell(f"Begun: {run}")
            case "trial_lost":
                self.tell(f"! Its machine was lost: {run}. It is gone on with on another, from its last state")
            case "trial_ended":
                self.outcomes[run] = outcome_of_trial(run, event)
                self.tell(ended_sentence(self.outcomes[run], str(event.get("machine") or "")))
            case "warning":
                self.tell(f"! {event.get('message')}")
            case "failed":
                self.failure = RunError(str(event.get("message")))
            case "finished":
                self.is_over = True


def outcome_of_trial(run: Path, event: Mapping[str, Any]) -> RunOutcome:
    """What came of a trial, as the machine that trained it says; one without such a word was stopped at a rung."""
    found = event.get("outcome")
    if not isinstance(found, dict):
        told = f"stopped after epoch {event.get('epochs')}, where others were worth more"
        return RunOutcome(run, "stopped_early", message=told)
    lora = found.get("lora")
    return RunOutcome(
        run,
        found["outcome"],
        exit_code=int(found.get("exit_code", 0)),
        message=str(found.get("message", "")),
        steps=int(found.get("steps", 0)),
        lora=None if lora is None else Path(str(lora)),
        seconds=float(found.get("seconds", 0.0)),
    )


def ended_sentence(one: RunOutcome, machine: str) -> str:
    """What is said of a trial that has ended."""
    where = f" on {machine}" if machine else ""
    why = f": {one.message}" if one.message else ""
    return f"{one.outcome.replace('_', ' ').capitalize()}{where}: {one.run}{why}"


def train_on_cluster(
    sweep: ClusterSweep, tell: Callable[[str], object], *, command: Callable[[Path], Sequence[str]] | None = None
) -> list[RunOutcome]:
    """Let a cluster train the trials; what came of each, in their order.

    Args:
        tell: called with each line of progress.
        command: makes the child's command line from its file; tests pass another.

    Raises:
        LoraError: the cluster cannot be reached, or cannot train them.
        KeyboardInterrupt: Ctrl-C; the trials save their work and end.
        TrainerBroke: the child failed by a bug of ours.
    """
    followed = Followed(tell)
    with temporary_folder("sweep") as folder:
        file = folder / "sweep.json"
        file.write_text(json.dumps(sweep.document()), "utf-8")
        made = command(file) if command else child_command(DRIVER_MODULE, str(file))
        ended = run_telling(made, followed.after, name="sweep", grace_seconds=GRACE_SECONDS)
    if ended.code in (INTERRUPTED, WINDOWS_CTRL_C):
        raise KeyboardInterrupt
    if followed.failure is not None:
        raise followed.failure
    if not followed.is_over:
        if limit := limit_sentence(ended.printed):
            raise RunError(f"The sweep broke off. {limit}")
        raise TrainerBroke(f"The sweep on {sweep.address} broke off.\n{ended.printed[-LOG_BYTES:]}")
    lost = f"nothing was heard of it from {sweep.address}"
    return [followed.outcomes.get(run, RunOutcome(run, "failed", STOPPED, lost)) for run in sweep.runs]
