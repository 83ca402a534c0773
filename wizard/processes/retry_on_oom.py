"""Training that goes on when memory runs out: one rung down, then again from the last state in a fresh process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from advisor.environment.packages import installed_packages
from advisor.errors import LoraError, MemoryFacts, OutOfMemory, RunError, TrainingStopped
from advisor.estimate.vram import Phase
from advisor.machine.memory_snapshot import others_sentence
from advisor.memory_ladder.adjustment import parts_of, taken_rung
from advisor.memory_ladder.rungs import Rung, Situation, next_rung, stopped
from advisor.run_folder.events import RungTaken
from advisor.run_folder.ladder_file import Ladder, Taken
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import QUANTISED, TrainingConfig, flat_settings
from wizard.processes.launch import Training
from wizard.processes.launch import train as train_once
from wizard.show.progress import Progress
from wizard.show.screen import Screen

PHASES: tuple[Phase, ...] = ("loading", "caching", "step")
"""What memory can run out in; a phase that a newer trainer names counts as a step."""


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
            return replace(progress, ladder=training.run.read_ladder().taken)


def _after(training: Training, error: OutOfMemory, screen: Screen) -> Training:
    """The training to start when memory ran out, with the next rung written down.

    Raises:
        TrainingStopped: there is none.
    """
    situation, is_spill = situation_of(training, error.facts), error.facts.spill is not None
    rung = next_rung(situation, most_harm=0 if is_spill else None)
    seen = cause(error.facts)
    if rung is not None:
        screen.note(f"{seen} Going on with {rung.sentence()}.")
        _take(training.run, situation, rung, seen=seen, step=error.facts.step)
    elif is_spill:
        screen.note(f"{seen} Nothing that does no harm would save memory, so it goes on as it is, slowly.")
    else:
        others = others_sentence(error.facts.others_bytes)
        told = (_first_sentence(error), others, f"{stopped(situation)}.")
        raise TrainingStopped(" ".join(filter(None, told))) from error
    return replace(
        training,
        resume=training.run.has_state(),
        tolerate_sysmem_fallback=training.tolerate_sysmem_fallback or (is_spill and rung is None),
    )


def cause(facts: MemoryFacts) -> str:
    """What was seen of memory's running out, from the trainer's facts."""
    step, times = facts.step, facts.spill
    seen = f"Out of memory at step {step}."
    if times is not None:
        seen = f"From step {step} on a step takes {times:.0f} times as long, because the card's memory is full."
    return " ".join(filter(None, (seen, others_sentence(facts.others_bytes))))


def situation_of(training: Training, facts: MemoryFacts) -> Situation:
    """Where memory ran out, from the run folder and what the trainer saw.

    Raises:
        LoraError: the configuration or the base model cannot be read any more.
    """
    from advisor.checkpoints.identify import identify

    planned = training.run.read_config()
    ladder = training.run.read_ladder()
    config = ladder.applied(_computed(planned, training.device))
    structure = identify(Path(config.model.path)).structure
    if structure is None:
        raise RunError(f"{config.model.path} does not tell how it is built, so nothing can be tried in its place")
    plan = training.run.known_plan()
    return Situation(
        config=config,
        structure=structure,
        planned_px=planned.dataset.resolution_px,
        batch_parts=ladder.batch_parts,
        phase=next((known for known in PHASES if known == facts.phase), "step"),
        size=facts.largest,
        chosen=frozenset() if plan is None else plan.chosen_paths(dict(flat_settings(planned))),
        base_dtypes=QUANTISED,
        has_8bit_optimizer=facts.device == "cuda" and bool(installed_packages(("bitsandbytes",))),
    )


def _computed(config: TrainingConfig, device: str | None) -> TrainingConfig:
    """On a processor that was asked for, the trainer computes in float32 whatever the plan says."""
    if device != "cpu":
        return config
    memory = config.memory.model_copy(update={"compute_dtype": "float32", "base_dtype": "float32", "preset": "cpu"})
    return config.model_copy(update={"memory": memory})


def _take(run: RunFolder, situation: Situation, rung: Rung, *, seen: str, step: int) -> None:
    """Write a rung down: in the ladder's file, in the events and in plan.json."""
    written = taken_rung(situation, rung, cause=seen, step=step)
    ladder = run.read_ladder()
    run.write_ladder(
        Ladder(
            batch_parts=parts_of((written,), ladder.batch_parts),
            settings={**ladder.settings, **rung.settings},
            taken=(*ladder.taken, written),
        )
    )
    _record(run, written)


def _record(run: RunFolder, taken: Taken) -> None:
    with run.event_writer() as events:
        events.write(RungTaken.of(taken))
    if (plan := run.known_plan()) is not None:
        run.write_plan(plan.with_rung(taken))


def _first_sentence(error: LoraError) -> str:
    return str(error).partition(". ")[0] + "."
