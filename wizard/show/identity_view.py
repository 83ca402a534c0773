"""What a model file is, as JSON and as lines of text."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from textwrap import fill

from advisor.checkpoints.identity import Identity, PartFile
from advisor.families import KNOWN_FAMILIES
from advisor.planning.document import plain_value
from advisor.units import shown
from wizard.output import columns
from wizard.show.findings import IDENTITY_KINDS, PREDICTIONS, size_text

LORA_KEYS = ("adapter", "rank", "alpha", "dora_axis", "trainer")
"""Left out of the JSON of other files."""

NAME_WIDTH = 12
"""Columns, where no name is longer."""


def identity_document(identity: Identity) -> dict[str, object]:
    """The document of `identify --json`; LORA_KEYS only for a LoRA."""
    tree: dict[str, object] = plain_value(asdict(identity))
    return {key: value for key, value in tree.items() if identity.kind == "lora" or key not in LORA_KEYS}


def identity_lines(identity: Identity) -> str:
    """One known fact a line, then the notes."""
    family = KNOWN_FAMILIES.get(identity.family or "")
    size, axis = identity.file_bytes, identity.dora_axis
    reason = f" ({identity.prediction_reason})" if identity.prediction_reason else ""
    predicted = PREDICTIONS.get(identity.prediction or "", "").removeprefix("predicts ")
    rows = {
        "file": identity.path,
        "kind": IDENTITY_KINDS.get(identity.kind, "a checkpoint"),
        "family": " ".join(filter(None, (family.title if family else None, identity.variant))),
        "predicts": f"{predicted}{reason}" if predicted else "",
        "lineage": f"{identity.lineage} (a guess: {identity.lineage_reason})" if identity.lineage else "",
        "precision": identity.dtype,
        "parts": ", ".join(part.replace("_", " ") for part in identity.parts),
        **{part.title: _place(part, identity.path) for part in identity.part_files},
        "adapter": identity.adapter if axis is None else f"{identity.adapter}, with lengths by {axis}",
        "rank": identity.rank,
        "alpha": None if identity.alpha is None else shown(identity.alpha),
        "written by": identity.trainer,
        "parameters": f"{identity.num_parameters:,}" if identity.num_parameters else "",
        "size": size_text(size) if size else "",
        "trainable": "yes" if identity.trainable else identity.why_not or "no",
    }
    width = max([NAME_WIDTH, *(len(part.title) + 2 for part in identity.part_files)])
    known = [_row(name, value, width) for name, value in rows.items() if value not in (None, "")]
    return "\n".join([*known, *identity.notes])


def _place(part: PartFile, base: str) -> str:
    """Where a part lies, and what else would do."""
    if part.path is None:
        return f"not found beside it: get {part.to_get}"
    if part.path == str(Path(base).absolute()):
        return "in this file"
    return f"{part.path} (also found: {', '.join(part.others)})" if part.others else part.path


def _row(name: str, value: object, width: int) -> str:
    """A fact, wrapped with the further lines indented to its value."""
    return fill(
        f"{name:<{width}}{value}", columns(), subsequent_indent=" " * width, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
