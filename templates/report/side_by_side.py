"""What differs between runs: their settings, and what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from advisor.choosing.cells import EpochScores
from advisor.errors import LoraError
from advisor.settings.config import setting, setting_paths
from advisor.units import counted, duration, size
from templates.report.results import value_text
from templates.report.scores import MEASURES, choice_view, epochs_text, interval_text
from templates.report.told import Told

UNKNOWN = "\u2013"


@dataclass(frozen=True)
class SideRow:
    """One thing, as each run has it."""

    name: str
    values: tuple[str, ...]
    """In the order of the runs."""
    detail: str = ""
    """What the thing is."""


def labels(runs: Sequence[Told]) -> tuple[str, ...]:
    """What each run is called on the page: by its LoRA, or by its folder where several have the same."""
    names = [told.name or told.run.path.name for told in runs]
    if len(set(names)) == len(names):
        return tuple(names)
    folders = [told.run.path.name for told in runs]
    if len(set(folders)) == len(folders):
        return tuple(folders)
    return tuple(f"{number} {folder}" for number, folder in enumerate(folders, 1))


def different_settings(runs: Sequence[Told]) -> list[SideRow]:
    """The settings that are not the same in all runs, in the order of all settings."""
    of_runs = [_settings(told) for told in runs]
    known = dict.fromkeys((*setting_paths(), *(path for found in of_runs for path in found)))
    rows = (SideRow(path, tuple(found.get(path, UNKNOWN) for found in of_runs)) for path in known)
    return [row for row in rows if len(set(row.values)) > 1]


def _settings(told: Told) -> dict[str, str]:
    """What is trained, by path: the configuration as it is now, and over it what the memory ladder made of it.

    Of a run whose configuration cannot be read, what was planned.
    """
    values: dict[str, Any] = {decision.path: decision.value for decision in told.plan.decisions}
    laddered = {decision.path for decision in told.plan.decisions if decision.origin == "ladder"}
    try:
        config = told.run.read_config()
        values |= {path: setting(config, path) for path in setting_paths() if path not in laddered}
    except LoraError:
        pass
    return {path: value_text(value) for path, value in values.items()}


def outcomes(runs: Sequence[Told]) -> list[SideRow]:
    """What came of each run; what is known of none is left out."""
    rows = [
        SideRow("epoch to use", tuple(_verdict(told) for told in runs)),
        *(_measure(name, runs) for name in MEASURES),
        SideRow("loss on held-out pictures", tuple(_held_out(told) for told in runs), "the lowest, and when"),
        SideRow("trained", tuple(_trained(told) for told in runs)),
        SideRow("time", tuple(_time(told) for told in runs)),
        SideRow("time of a step", tuple(_step_time(told) for told in runs)),
        SideRow("memory", tuple(_memory(told) for told in runs), "of the card; on a processor of the process"),
        SideRow("memory ran out", tuple(_rungs(told) for told in runs)),
        SideRow("pictures", tuple(_images(told) for told in runs)),
        SideRow("planned for", tuple(_machine(told) for told in runs)),
    ]
    return [row for row in rows if set(row.values) != {UNKNOWN}]


def chosen_scores(told: Told) -> EpochScores | None:
    """The scores of the chosen epoch; None: none was chosen, or it was not measured."""
    if told.grid is None or told.grid.choice is None:
        return None
    choice = told.grid.choice
    fits = (one for one in told.grid.scores if one.epoch == choice.epoch and choice.weight in (None, one.weight))
    return next(fits, None)


def _measure(name: Any, runs: Sequence[Told]) -> SideRow:
    found = [chosen_scores(told) for told in runs]
    values = (UNKNOWN if one is None or name not in one.scores else interval_text(one.scores[name]) for one in found)
    better = {"higher": " \u2191", "lower": " \u2193"}.get(MEASURES[name].better, "")
    return SideRow(MEASURES[name].title.lower() + better, tuple(values), MEASURES[name].meaning)


def _verdict(told: Told) -> str:
    if told.grid is None or told.grid.choice is None:
        return UNKNOWN
    choice = told.grid.choice
    others = [epoch for epoch in choice.tied if epoch != choice.epoch]
    tied = f"; {epochs_text(others)} as good" if choice.epoch is not None and others else ""
    return f"{choice_view(choice).headline} ({choice.confidence:.0%} sure{tied})"


def _held_out(told: Told) -> str:
    found = [(event.loss, event.epoch) for event in told.curve.validated if event.loss is not None]
    if not found:
        return UNKNOWN
    loss, epoch = min(found)
    return f"{loss:.4f}" + (f" after epoch {epoch}" if epoch else "")


def _trained(told: Told) -> str:
    if told.failed is not None:
        return f"did not reach its end: {told.failed.message}"
    if told.finished is None:
        return f"up to step {told.curve.made[-1].step:,}" if told.curve.made else UNKNOWN
    return f"{counted(told.finished.steps, 'step')}, {counted(told.finished.epochs, 'epoch')}"


def _time(told: Told) -> str:
    seconds = None if told.finished is None else told.finished.seconds
    return UNKNOWN if seconds is None else duration(seconds)


def _step_time(told: Told) -> str:
    each = None if told.finished is None else told.finished.seconds_per_step
    return f"{each:.2f} s" if each else UNKNOWN


def _memory(told: Told) -> str:
    if told.finished is None or not told.finished.peak_memory_bytes:
        return UNKNOWN
    return size(told.finished.peak_reserved_bytes or told.finished.peak_memory_bytes)


def _rungs(told: Told) -> str:
    return f"{told.num_rungs} times" if told.num_rungs > 1 else "once" if told.num_rungs else UNKNOWN


def _images(told: Told) -> str:
    return UNKNOWN if told.outline.images is None else f"{told.outline.images.num_images:,}"


def _machine(told: Told) -> str:
    machine = told.outline.machine
    return (UNKNOWN if machine is None else machine.gpu.name if machine.gpu else machine.cpu_name) or UNKNOWN
