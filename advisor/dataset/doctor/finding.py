"""What the doctor found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
"""error: it is not trained as it stands; warning: the LoRA will suffer; note: it is handled, or may be meant."""

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""The worst first."""


@dataclass(frozen=True)
class Finding:
    """One thing, of one or more files."""

    code: str
    """As docs/interface.md lists them."""
    severity: Severity
    files: tuple[str, ...]
    """Relative to the folder that was looked at, with forward slashes; empty where it is about the whole set."""
    message: str
    """What was found, with its figures."""
    hint: str
    """What to do."""
    waived: bool = False
    """The user has looked at it and keeps it so."""
