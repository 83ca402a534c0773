"""A plan: in about twenty lines of 80 columns what it takes and its main settings, or every setting with its reason."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from advisor.answers import ANSWER_OF_SETTING
from advisor.estimate.tradeoffs import BASE
from advisor.facts import Facts
from advisor.families import KNOWN_FAMILIES
from advisor.families.about import licence_of
from advisor.plan import Decision, Estimate, Plan
from advisor.units import counted, duration, gib, mib, shown
from wizard.show.durations import clock_time
from wizard.show.estimate_text import memory_text
from wizard.show.findings import size_text
from wizard.show.import_view import hanging

ESSENTIAL = (
    "memory.preset", "dataset.resolution_px", "dataset.repeats", "network.rank", "network.alpha",
    "optimizer.name", "optimizer.unet_learning_rate", "optimizer.text_encoder_learning_rate", "schedule.epochs",
    "schedule.batch_size", "memory.compute_dtype", "memory.gradient_checkpointing", "model.clip_skip",
)  # fmt: skip
"""The settings that are always shown; those that the user chose are shown too."""

NAME_WIDTH, VALUE_WIDTH = 28, 12
"""Columns of the full view; the reason gets the rest."""
LABEL_WIDTH = 9
"""Column of the short view for what a line is about: an estimate, or a group of settings."""
DETAILS = frozenset({"RAM", ""})
"""Estimates that only the full view shows: RAM, of which a warning tells where it is short, and the notes."""


def plan_view(
    facts: Facts, plan: Plan, *, everything: bool = False, changes: RenderableType | None = None, hint: str = ""
) -> Group:
    """What the plan takes, its settings, and its warnings last, so that they stay on the screen.

    Args:
        everything: every setting with its reason, and how sure the estimates are; else the main settings' values.
        changes: what a choice changes in the plan, shown before the warnings.
        hint: how to see everything, shown with the main settings.
    """
    parts: list[RenderableType] = [Text(""), Text(title(facts), style="bold")]
    parts += _full(facts, plan) if everything else _short(facts, plan, hint)
    parts += [] if changes is None else [changes]
    parts += [hanging("!", warning.message, style="yellow") for warning in plan.warnings]
    return Group(*parts, Text(""))


def _full(facts: Facts, plan: Plan) -> list[RenderableType]:
    rows = [*licence_rows(facts), *estimate_rows(plan.estimate, facts), ("pictures", pictures_text(plan))]
    estimates = label_table(rows, NAME_WIDTH + 1)
    return [settings_table(plan.decisions), Text(""), estimates, Text(""), *source_lines(plan.decisions)]


def source_lines(decisions: Iterable[Decision]) -> list[RenderableType]:
    """Where the reasons come from: each source once, its address, and what it says."""
    sources = dict.fromkeys(decision.source for decision in decisions)
    lines = (f"{source.title}: {source.url}{f' ({source.says})' if source.says else ''}" for source in sources)
    return [Text("where the reasons come from", style="cyan"), *(hanging("-", line) for line in lines)]


def _short(facts: Facts, plan: Plan, hint: str) -> list[RenderableType]:
    estimates = [row for row in estimate_rows(plan.estimate, facts) if row[0] not in DETAILS]
    shown_decisions = [decision for decision in plan.decisions if is_essential(decision, plan)]
    chosen = "* is chosen by you" if any(map(_is_marked, shown_decisions)) else ""
    heading = "; ".join(filter(None, ("Settings", chosen, hint)))
    return [
        label_table(
            [("base", base_text(facts)), *licence_rows(facts), *estimates, ("pictures", pictures_text(plan))],
            LABEL_WIDTH,
        ),
        Text(f"\n{heading}", style="bold"),
        label_table(group_rows(shown_decisions), LABEL_WIDTH),
    ]


def is_essential(decision: Decision, plan: Plan) -> bool:
    """Whether the short view shows it: ESSENTIAL, what the user chose, a quantised base, blocks treated otherwise."""
    if decision.path == FOLDERS:
        return bool(decision.value)
    if decision.path == "dataset.repeats" and plan.config.dataset.folders:
        return False
    if decision.path == "memory.base_dtype" and decision.value in BASE:
        return True
    if decision.path in ("memory.checkpointed_blocks", "memory.swapped_blocks") and decision.value:
        return True
    return decision.path in ESSENTIAL or (decision.is_chosen and decision.path not in ANSWERED)


FOLDERS = "dataset.folders"
"""Repeats by folder; where there are any, shown instead of `dataset.repeats`."""

ANSWERED = frozenset({"model.path", "dataset.images", *ANSWER_OF_SETTING})
"""Settings that the interview asked for, not repeated in the short view."""


def title(facts: Facts) -> str:
    """Name, trigger, subject, number of images and whose advice, in a line."""
    answers = facts.answers
    whose = "by the tutorial" if answers.advice == "tutorial" else "by what others advise today"
    named = answers.name if answers.trigger_word == answers.name else f"{answers.name} ({answers.trigger_word})"
    return f"{named}: a {answers.subject} from {counted(facts.dataset.num_images, 'picture')}, {whose}"


def settings_table(decisions: Iterable[Decision]) -> Table:
    """Setting, value, reason; one heading for each group."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), show_header=False)
    table.add_column("setting", width=NAME_WIDTH, overflow="fold", no_wrap=False)
    table.add_column("value", width=VALUE_WIDTH, overflow="fold", style="bold")
    table.add_column("why", ratio=1, overflow="fold")
    group = ""
    for decision in decisions:
        here, _, name = decision.path.partition(".")
        if here != group:
            table.add_row(Text(here, style="cyan"), "", "")
            group = here
        mark = "*" if _is_marked(decision) else " "
        table.add_row(f"{mark} {name}", Text(value_text(decision)), Text(decision.reason))
    return table


def value_text(decision: Decision) -> str:
    """The value as the narrow column has it."""
    if decision.path == FOLDERS and decision.value:
        return "their own"
    return shown(decision.value)


def group_rows(decisions: Iterable[Decision]) -> Sequence[tuple[str, str]]:
    """(group, its settings with their values) in the order of the settings."""
    groups = dict[str, list[str]]()
    for decision in decisions:
        group, _, name = decision.path.partition(".")
        mark = "*" if _is_marked(decision) else ""
        named = "repeats by folder" if decision.path == FOLDERS else f"{mark}{name} {value_text(decision)}"
        groups.setdefault(group, []).append(named)
    return [(group, ", ".join(named)) for group, named in groups.items()]


def _is_marked(decision: Decision) -> bool:
    return decision.is_chosen and decision.path != FOLDERS


def label_table(rows: Iterable[tuple[str, str]], label_width: int) -> Table:
    """Labels, and a text behind each."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=False)
    table.add_column("label", width=label_width, style="cyan")
    table.add_column("text", ratio=1, overflow="fold")
    for label, text in rows:
        table.add_row(label, text)
    return table


def base_text(facts: Facts) -> str:
    """Family and file name of the base model."""
    family = KNOWN_FAMILIES.get(facts.model.family or "")
    name = re.split(r"[/\\]", facts.model.path.rstrip("/\\"))[-1]
    return f"{family.title}, {name}" if family else name


def licence_rows(facts: Facts) -> Sequence[tuple[str, str]]:
    """What the base model's licence means for the LoRA, where that is to be told."""
    licence = licence_of(facts.model.family)
    return [] if licence is None else [("licence", f"{licence.told}.")]


def estimate_rows(estimate: Estimate, facts: Facts) -> Sequence[tuple[str, str]]:
    """(name, figures) of what the training will take."""
    gpu, on_gpu = facts.gpu, facts.gpu is not None
    free, where = (gpu.free_bytes, gpu.name) if gpu else (facts.hardware.ram_free_bytes, "this machine, no card")
    rows = [
        ("steps", _steps_text(estimate)),
        ("time", _time_text(estimate, on_gpu=on_gpu)),
        ("memory", f"about {memory_text(estimate)} of {gib(free)} free ({where})"),
        *(
            [("RAM", f"about {gib(estimate.ram_bytes)} of the machine's {gib(facts.hardware.ram_free_bytes)} free")]
            * on_gpu
        ),
        *([("energy", _energy_text(estimate))] if estimate.energy_wh else []),
        ("files", f"each LoRA {mib(estimate.lora_bytes)}, all of the run {size_text(estimate.disk_bytes)}"),
    ]
    return rows + [("", note) for note in estimate.notes]


def pictures_text(plan: Plan) -> str:
    """How many pictures are drawn while it trains, when, and how long that takes; or why none are."""
    sampling, outlook = plan.config.sampling, plan.estimate
    if not outlook.num_samples:
        decision = plan.by_path["sampling.prompts"]
        reason = decision.reason if decision.origin == "rule" and not decision.value else ""
        return reason if reason.startswith("none: ") else "none while it trains"
    each = "each epoch" if sampling.every_epochs == 1 else f"every {sampling.every_epochs} epochs"
    number = len(sampling.prompts)
    took = "" if outlook.sampling_seconds is None else f", in about {duration(outlook.sampling_seconds)}"
    return f"{number} by the base alone, then {number} after {each}{took}"


def _steps_text(estimate: Estimate) -> str:
    often = f"each picture about {estimate.exposures_per_picture:.0f} times"
    return f"{estimate.steps:,} in {counted(estimate.epochs, 'epoch')}, {often}"


def _time_text(estimate: Estimate, *, on_gpu: bool) -> str:
    if estimate.seconds is None or estimate.seconds_low is None or estimate.seconds_high is None:
        return "unknown for this card" if on_gpu else "unknown for this machine"
    span = f"{duration(estimate.seconds_low)} to {duration(estimate.seconds_high)}"
    return (
        f"about {duration(estimate.seconds)} ({span}); begun now, done at {clock_time(time.time(), estimate.seconds)}"
    )


def _energy_text(estimate: Estimate) -> str:
    """Of the shortest and the longest time, the card at its limit all the while."""
    assert estimate.energy_wh is not None
    assert estimate.seconds
    low, high = (
        (seconds or estimate.seconds) / estimate.seconds for seconds in (estimate.seconds_low, estimate.seconds_high)
    )
    return (
        f"{estimate.energy_wh * low:,.0f} to {estimate.energy_wh * high:,.0f} Wh at most, the card at its power limit"
    )
