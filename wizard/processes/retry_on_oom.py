"""Retries a training that ran out of memory: takes one rung of the ladder, then resumes in a new process."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from advisor.errors import LoraError, MemoryFacts, OutOfMemory, TrainingStopped
from advisor.machine.memory_snapshot import others_sentence
from advisor.memory_ladder.adjustment import parts_of, taken_rung
from advisor.memory_ladder.rungs import Rung, Situation, next_rung, stopped
from advisor.run_folder.events import RungTaken
from advisor.run_folder.ladder_file import Ladder, Taken
from advisor.run_folder.layout import RunFolder
from wizard.processes.after_training import completed, tried
from wizard.processes.launch import run_trainer
from wizard.processes.trainer_job import TrainerJob
from wizard.show.progress import TrainingProgress
from wizard.show.screen import Screen


def train_with_retries(job: TrainerJob, screen: Screen, **options: Any) -> TrainingProgress:
    """Train to the end, taking a rung of the ladder each time that memory runs out.

    Args:
        options: `run_trainer`'s.

    Returns:
        The progress after the last event; `ladder` holds all rungs that this run ever took.

    Raises:
        LoraError: as `run_trainer`.
        TrainingStopped: memory ran out, and only settings that the user chose could still save any.
        KeyboardInterrupt: Ctrl-C, after the work was saved.
        TrainerBroke: the trainer failed by a bug of ours.
    """
    _tell_ladder(job.run, screen)
    while True:
        try:
            progress = run_trainer(job, screen, **options)
        except OutOfMemory as error:
            job = _next_job(job, error, screen)
        else:
            ladder = tried("What the memory ladder did cannot be read", job.run.read_ladder)
            done = completed(progress, job.run)
            return done if ladder is None else replace(done, ladder=ladder.taken)


def _tell_ladder(run: RunFolder, screen: Screen) -> None:
    """Tell what is still done because memory ran out at an earlier start; forget what the user has set anew since."""
    ladder = run.read_ladder()
    in_force = ladder.in_force(run.read_config())
    if in_force != ladder:
        run.write_ladder(in_force)
    if in_force.taken:
        messages = ", ".join(rung.message for rung in in_force.taken)
        screen.note(f"Memory ran out before, so it goes on with {messages}. To train as planned, delete {run.ladder}.")


def _next_job(job: TrainerJob, error: OutOfMemory, screen: Screen) -> TrainerJob:
    """Take the next rung; returns the job that resumes with it.

    Raises:
        TrainingStopped: there is no rung.
    """
    from wizard.processes.memory_situation import situation_of

    situation, is_spill = situation_of(job, error.facts), error.facts.spill is not None
    rung = next_rung(situation, most_harm=0 if is_spill else None)
    seen = cause(error.facts)
    if rung is not None:
        screen.note(f"{seen} Going on with {rung.sentence()}.")
        _take_rung(job.run, situation, rung, seen=seen, step=error.facts.step)
    elif is_spill:
        screen.note(f"{seen} Nothing that does no harm would save memory, so it goes on as it is, slowly.")
    else:
        others = others_sentence(error.facts.others_bytes)
        parts = (_first_sentence(error), others, f"{stopped(situation)}.")
        raise TrainingStopped(" ".join(filter(None, parts))) from error
    return replace(
        job,
        resume=job.run.has_state(),
        tolerate_sysmem_fallback=job.tolerate_sysmem_fallback or (is_spill and rung is None),
    )


def cause(facts: MemoryFacts) -> str:
    """A sentence on how memory ran out, from what the trainer saw."""
    step, times = facts.step, facts.spill
    seen = f"Out of memory at step {step}."
    if times is not None:
        seen = f"From step {step} on a step takes {times:.0f} times as long, because the card's memory is full."
    return " ".join(filter(None, (seen, others_sentence(facts.others_bytes))))


def _take_rung(run: RunFolder, situation: Situation, rung: Rung, *, seen: str, step: int) -> None:
    """Record a rung in state/ladder.json, in the events and in plan.json."""
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
