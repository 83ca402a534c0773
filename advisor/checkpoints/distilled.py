"""Whether a base model is one that was distilled to draw in few steps, as far as names and a scheduler tell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from advisor.checkpoints.diffusers_json import read_model_json
from advisor.families.family import Distilled, Family
from advisor.shown_text import short

TITLE = "modelspec.title"
"""A file's own name for itself, in its metadata."""


def why_not_distilled(known: Family, path: Path, metadata: Mapping[str, str]) -> str:
    """Why it is taken for the distilled model and what to train on instead; empty where nothing tells so.

    Args:
        path: of the file or the diffusers folder.
        metadata: of the file.
    """
    if known.distilled is None or (mark := next(_marks(known.distilled, path, metadata), None)) is None:
        return ""
    title = f"{known.title} {known.distilled.title}"
    return (
        f"{mark}, so it is taken for {title}, which is made to draw in {known.distilled.steps} steps: training on "
        f"it would undo that. Train on {known.title} itself ({known.distilled.base_file}); its LoRAs can be used on "
        f"{known.distilled.title} too, mostly at a higher weight"
    )


def distilled_variant(known: Family, why: str) -> str | None:
    """The distilled model as a variant of its family, where there is a reason to take a base model for it."""
    return known.distilled.title.lower() if known.distilled is not None and why else None


def notes_on_distilled(known: Family) -> tuple[str, ...]:
    """What the user is to see to, where a model's layers do not tell whether it is the distilled one."""
    if known.distilled is None:
        return ()
    title = known.distilled.title
    return (f"its layers do not tell it from {title}: see to it that it is {known.title} itself and not {title}",)


def _marks(distilled: Distilled, path: Path, metadata: Mapping[str, str]) -> Iterator[str]:
    """What tells, as the beginning of a sentence."""
    if re.search(distilled.pattern, metadata.get(TITLE, "").lower()):
        yield f"its metadata call it {short(metadata[TITLE])}"
    if re.search(distilled.pattern, path.name.lower()):
        yield f"its name is {short(path.name)}"
    scheduler = read_model_json(path / "scheduler" / "scheduler_config.json")
    if scheduler is not None and scheduler.table.get("shift") == distilled.scheduler_shift:
        yield f"its scheduler has the shift {distilled.scheduler_shift}"
