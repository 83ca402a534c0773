"""The plan as tables of value and reason, for 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from advisor.facts import Facts
from advisor.plan import Decision, Estimate, Plan
from advisor.units import counted, gib, mib, shown
from wizard.durations import duration
from wizard.findings import gpu_text

ESSENTIAL = (
    "memory.preset", "dataset.resolution_px", "dataset.repeats", "network.rank", "network.alpha",
    "optimizer.name", "optimizer.unet_learning_rate", "optimizer.text_encoder_learning_rate", "schedule.epochs",
    "schedule.batch_size", "memory.compute_dtype", "memory.gradient_checkpointing", "model.clip_skip",
)  # fmt: skip
"""What most people look at, in this order of groups; whatever the user chose is shown beside it."""

NAME_WIDTH, VALUE_WIDTH = 27, 14
"""Columns of the table; the reason gets the rest."""


def plan_view(facts: Facts, plan: Plan, *, everything: bool = False) -> Group:
    """The settings with their reasons, what to mind, and what it will take."""
    paths = set(ESSENTIAL) | {decision.path for decision in plan.decisions if decision.origin == "answer"}
    shown_ones = [d for d in plan.decisions if everything or (d.path in paths and d.path not in SAID)]
    parts: list[object] = [Text(""), Text(title(facts), style="bold"), settings_table(shown_ones)]
    parts += [Padding(Text(f"! {warning.message}", style="yellow"), (0, 0, 0, 1)) for warning in plan.warnings]
    parts += [Text(""), estimate_table(plan.estimate, facts), Text("")]
    return Group(*parts)  # type: ignore[arg-type]


SAID = frozenset({"model.path", "dataset.images", "saving.name", "run.trigger", "run.subject", "run.advice"})
"""Answers of the conversation, which need not be repeated."""


def title(facts: Facts) -> str:
    """What is trained, in a line."""
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
        mark = "*" if decision.origin == "answer" else " "
        table.add_row(f"{mark} {name}", Text(shown(decision.value)), Text(decision.reason))
    return table


def estimate_table(estimate: Estimate, facts: Facts) -> Table:
    """What the training will take."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), show_header=False)
    table.add_column("what", width=NAME_WIDTH, style="cyan")
    table.add_column("how much", ratio=1)
    for name, text in estimate_rows(estimate, facts):
        table.add_row(name, text)
    return table


def estimate_rows(estimate: Estimate, facts: Facts) -> Sequence[tuple[str, str]]:
    """(name, figures) of what the training will take."""
    gpu = facts.gpu
    where = f"of {gpu_text(gpu)}" if gpu else f"of {gib(facts.hardware.ram_bytes)} system memory, on the processor"
    time = "unknown for this machine" if estimate.seconds is None else f"about {duration(estimate.seconds)}"
    rows = [
        ("steps", f"{estimate.steps:,}"),
        ("memory", f"about {gib(estimate.vram_bytes)} {where}"),
        ("time", time),
        ("files", f"each LoRA {mib(estimate.lora_bytes)}, all of the run {gib(estimate.disk_bytes)}"),
    ]
    return rows + [("", note) for note in estimate.notes]
