"""Training that goes on when memory runs out: one rung down, then again from the last state in a fresh process."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from advisor.environment.packages import installed_packages
from advisor.errors import LoraError, OutOfMemory, RunError, TrainingStopped
from advisor.files import write_atomically
from advisor.machine.memory_snapshot import others_sentence
from advisor.memory_ladder.adjustment import parts_of, taken_rung
from advisor.memory_ladder.rungs import Rung, Situation, next_rung, stopped
from advisor.run_folder.config_file import read_config
from advisor.run_folder.events import EVENTS_PATH
from advisor.run_folder.ladder_file import Ladder, Taken, read_ladder, write_ladder
from advisor.run_folder.plan_record import chosen_paths, record_with_rung
from advisor.settings.config import QUANTISED, TrainingConfig, flat_settings
from wizard.processes.launch import Training
from wizard.processes.launch import train as train_once
from wizard.show.progress import Progress
from wizard.show.screen import Screen

PLAN_NAME = "plan.json"
"""The plan's record in a run folder."""
STATES = "state"
"""The folder with what resuming needs."""


def train(training: Training, screen: Screen, **options: Any) -> Progress:
    """Train to the end; where memory runs out, go down the ladder as far as it leads.

    Args:
        options: `wizard.processes.launch.train`'s.

    Returns:
        What the events said; `ladder` holds every rung that this run ever took.

    Raises:
        LoraError: what stopped it.
        TrainingStopped: memory ran out, and no rung is left but what the user chose.
        KeyboardInterrupt: the user ended it, and the work is saved.
        TrainerBroke: a defect of ours.
    """
    while True:
        try:
            progress = train_once(training, screen, **options)
        except OutOfMemory as error:
            training = _after(training, error, screen)
        else:
            return replace(progress, ladder=tuple(rung.model_dump() for rung in read_ladder(training.run).taken))


def _after(training: Training, error: OutOfMemory, screen: Screen) -> Training:
    """The training to start when memory ran out, with the next rung written down.

    Raises:
        TrainingStopped: there is none.
    """
    situation, is_spill = situation_of(training, error.facts), "spill" in error.facts
    rung = next_rung(situation, most_harm=0 if is_spill else None)
    seen = cause(error.facts)
    if rung is not None:
        screen.note(f"{seen} Going on with {rung.sentence()}.")
        _take(training.run, situation, rung, seen=seen, step=_step(error.facts))
    elif is_spill:
        screen.note(f"{seen} Nothing that does no harm would save memory, so it goes on as it is, slowly.")
    else:
        others = others_sentence(error.facts.get("others_bytes"))
        told = (_first_sentence(error), others, f"{stopped(situation)}.")
        raise TrainingStopped(" ".join(filter(None, told))) from error
    return replace(
        training,
        resume=has_state(training.run),
        tolerate_sysmem_fallback=training.tolerate_sysmem_fallback or (is_spill and rung is None),
    )


def has_state(run: Path) -> bool:
    """Whether there is something to go on from."""
    return any((run / STATES).glob("step-*"))


def cause(facts: Mapping[str, Any]) -> str:
    """What was seen of memory's running out, from the trainer's facts."""
    step, times = _step(facts), facts.get("spill")
    seen = f"Out of memory at step {step}."
    if isinstance(times, int | float):
        seen = f"From step {step} on a step takes {times:.0f} times as long, because the card's memory is full."
    return " ".join(filter(None, (seen, others_sentence(facts.get("others_bytes")))))


def _step(facts: Mapping[str, Any]) -> int:
    step = facts.get("step")
    return step if isinstance(step, int) else 0


def situation_of(training: Training, facts: Mapping[str, Any]) -> Situation:
    """Where memory ran out, from the run folder and what the trainer saw.

    Raises:
        LoraError: the configuration or the base model cannot be read any more.
    """
    from advisor.checkpoints.identify import identify

    planned = read_config(training.config)
    ladder = read_ladder(training.run)
    config = ladder.applied(_computed(planned, training.device))
    structure = identify(Path(config.model.path)).structure
    if structure is None:
        raise RunError(f"{config.model.path} does not tell how it is built, so nothing can be tried in its place")
    largest = facts.get("largest")
    size = (int(largest[0]), int(largest[1])) if isinstance(largest, list) and len(largest) == 2 else None
    phase = facts.get("phase")
    return Situation(
        config=config,
        structure=structure,
        planned_px=planned.dataset.resolution_px,
        batch_parts=ladder.batch_parts,
        phase=phase if phase in ("loading", "caching", "step") else "step",
        size=size,
        chosen=chosen_paths(read_plan(training.run), dict(flat_settings(planned))),
        base_dtypes=QUANTISED,
        has_8bit_optimizer=facts.get("device") == "cuda" and bool(installed_packages(("bitsandbytes",))),
    )


def _computed(config: TrainingConfig, device: str | None) -> TrainingConfig:
    """On a processor that was asked for, the trainer computes in float32 whatever the plan says."""
    if device != "cpu":
        return config
    memory = config.memory.model_copy(update={"compute_dtype": "float32", "base_dtype": "float32", "preset": "cpu"})
    return config.model_copy(update={"memory": memory})


def _take(run: Path, situation: Situation, rung: Rung, *, seen: str, step: int) -> None:
    """Write a rung down."""
    written = taken_rung(situation, rung, cause=seen, step=step)
    ladder = read_ladder(run)
    write_ladder(
        run,
        Ladder(
            batch_parts=parts_of((written,), ladder.batch_parts),
            settings={**ladder.settings, **rung.settings},
            taken=(*ladder.taken, written),
        ),
    )
    _record(run, written)


def _record(run: Path, taken: Taken) -> None:
    """Tell of a rung in the events and in plan.json."""
    event = {
        "t": round(time.time(), 3), "event": "ladder", "rung": taken.rung, "from": taken.before, "to": taken.after,
        **taken.model_dump(exclude={"rung", "before", "after"}),
    }  # fmt: skip
    try:
        with (run / EVENTS_PATH).open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(event, ensure_ascii=False) + "\n")
    except OSError as error:
        raise RunError(f"{run / EVENTS_PATH} cannot be written: {error.strerror or error}") from error
    if (plan := read_plan(run)) is not None:
        write_atomically(
            run / PLAN_NAME, json.dumps(record_with_rung(plan, taken), indent=2, ensure_ascii=False) + "\n"
        )


def read_plan(run: Path) -> dict[str, Any] | None:
    """The plan's record; None where there is none that can be read."""
    try:
        found = json.loads((run / PLAN_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _first_sentence(error: LoraError) -> str:
    return str(error).partition(". ")[0] + "."
