"""A preset of one's own: a single file to share, with only what differs from the rules, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from advisor.errors import RunError
from advisor.plan import Decision, Origin, Plan
from advisor.planning.limits import FOUND_NOT_CHOSEN
from advisor.run_folder.write_over import NewFile, write_over
from advisor.run_folder.written import WrittenFiles
from templates.render import render

HEAD = (
    "A preset for Loracle: `loracle plan --preset FILE` takes these settings before its rules; "
    "what you choose counts first."
)

CHOSEN: tuple[Origin, ...] = ("answer", "preset", "import")
"""Where a setting comes from that differs from the rules."""

OF_ONE_RUN = (
    "model.path", "model.lineage", "model.prediction", "model.vae_path", "model.text_encoder_path", "dataset.images",
    "dataset.folders", "dataset.only_folders", "dataset.regularization_", "network.start_from",
    "saving.name", "run.", "machine.", "memory.preset",
)  # fmt: skip
"""Settings that say nothing to anybody else."""


def preset_rows(plan: Plan) -> Iterator[Decision]:
    """The settings that somebody chose, and that hold for other images too."""
    for decision in plan.decisions:
        is_own = decision.path.startswith(OF_ONE_RUN) or decision.path in FOUND_NOT_CHOSEN
        if decision.origin in CHOSEN and not is_own and decision.value is not None:
            yield decision


def own_rows(plan: Plan) -> tuple[Decision, ...]:
    """The same, where there are any.

    Raises:
        RunError: nothing differs from the rules.
    """
    rows = tuple(preset_rows(plan))
    if not rows:
        raise RunError("the plan differs in nothing from the rules, so there is no preset to save: choose settings")
    return rows


def render_preset(plan: Plan, title: str) -> str:
    """The text of the file; `advisor.settings.preset_file.read_preset` reads it back.

    Raises:
        RunError: nothing differs from the rules.
    """
    rows = [replace(row, reason=re.sub("^you chose it", "chosen", row.reason)) for row in own_rows(plan)]
    return render("native/files/preset.toml.j2", head=HEAD, title=title, rows=rows)


def write_preset(file: Path, plan: Plan, *, overwrite: bool = False) -> tuple[Path, ...]:
    """Save the preset, titled as its file is called.

    Args:
        overwrite: replace a file that the user changed or made, after keeping it beside.

    Returns:
        Where the user's file is kept.

    Raises:
        UsersFiles: the file is the user's; nothing was written.
        RunError: nothing differs from the rules, or it cannot be written.
    """
    new = NewFile(file, render_preset(plan, file.stem).encode("utf-8"), "preset")
    return write_over([new], WrittenFiles(), overwrite=overwrite)
