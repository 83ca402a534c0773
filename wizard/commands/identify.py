"""`loracle identify`: what a model file is."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from wizard.interview.paths import given_path
from wizard.output import columns, print_json, show

if TYPE_CHECKING:
    from advisor.checkpoints.identity import Identity

OF_A_LORA = ("adapter", "rank", "alpha", "trainer")
"""What only a LoRA has."""

NAME_WIDTH = 12
"""Columns."""


def identify(file: str, *, as_json: bool = False) -> None:
    """Print it.

    Raises:
        ModelError: it cannot be read as a model.
    """
    from advisor.checkpoints.identify import identify as look
    from advisor.planning.document import plain_value

    identity = look(given_path(file))
    if as_json:
        print_json(identity_document(plain_value(asdict(identity)), is_lora=identity.kind == "lora"))
    else:
        show(identity_lines(identity))


def identity_document(tree: dict[str, object], *, is_lora: bool) -> dict[str, object]:
    """What `--json` prints: the interface's names first; what only a LoRA has only for a LoRA."""
    return {key: value for key, value in tree.items() if is_lora or key not in OF_A_LORA}


def identity_lines(identity: Identity) -> str:
    """One fact a line."""
    from advisor.families import FAMILIES
    from wizard.interview.base_model import KINDS
    from wizard.show.findings import PREDICTIONS, size_text

    family = FAMILIES.get(identity.family or "")
    size = identity.file_bytes
    reason = f" ({identity.prediction_reason})" if identity.prediction_reason else ""
    predicted = PREDICTIONS.get(identity.prediction or "", "").removeprefix("predicts ")
    rows = {
        "file": identity.path,
        "kind": KINDS.get(identity.kind, "a checkpoint"),
        "family": " ".join(filter(None, (family.title if family else None, identity.variant))),
        "predicts": f"{predicted}{reason}" if predicted else "",
        "lineage": f"{identity.lineage} (a guess: {identity.lineage_reason})" if identity.lineage else "",
        "precision": identity.dtype,
        "parts": ", ".join(part.replace("_", " ") for part in identity.parts),
        "adapter": identity.adapter,
        "rank": identity.rank,
        "alpha": identity.alpha,
        "written by": identity.trainer,
        "parameters": f"{identity.num_parameters:,}" if identity.num_parameters else "",
        "size": size_text(size) if size else "",
        "trainable": "yes" if identity.trainable else identity.why_not or "no",
    }
    known = [_row(name, value) for name, value in rows.items() if value not in (None, "")]
    return "\n".join([*known, *identity.notes])


def _row(name: str, value: object) -> str:
    """A fact, its further lines below its first one's value."""
    from textwrap import fill

    indent = " " * NAME_WIDTH
    return fill(
        f"{name:<{NAME_WIDTH}}{value}", columns(), subsequent_indent=indent, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
