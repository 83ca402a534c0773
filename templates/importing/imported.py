"""What an import found: our settings, and what became of every key of the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["kept", "translated", "dropped", "idle", "unknown", "contradictory"]
"""Dropped: it says something that we have no setting for; idle: it stands at what changes nothing."""

Format = Literal["kohya-gui", "sd-scripts", "onetrainer", "ai-toolkit", "musubi-tuner", "lora"]


@dataclass(frozen=True)
class Line:
    """One key of the file, and what became of it."""

    key: str
    found: str
    """What stands there, shortened; secrets are not repeated."""
    verdict: Verdict
    path: str = ""
    """The setting that it became."""
    value: Any = None
    """That setting's value."""
    note: str = ""
    """What a reader should know of it."""


@dataclass(frozen=True)
class Imported:
    """A file of another trainer, read."""

    format: Format
    title: str
    """What the file is, e.g. `kohya_ss GUI (LoRA tab)`."""
    source: str
    """The file's path."""
    settings: Mapping[str, Any]
    """Setting path to value; each fits its setting, their combination may pass the tutorial's limits."""
    lines: tuple[Line, ...]
    """Every key of the file at least once."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """What that trainer does where the file says nothing, for settings whose default differs from ours."""
    notes: tuple[str, ...] = ()
    meant_for: str = ""
    """What it trains, where that is no LoRA, e.g. `Dreambooth`: only what makes sense was taken over."""
    folders_seen: bool = False
    """Whether its folder of images is on this machine."""

    @property
    def effective(self) -> dict[str, Any]:
        """What the file says, and what that trainer does where it says nothing."""
        return {**self.defaults, **self.settings}

    def of(self, verdict: Verdict) -> tuple[Line, ...]:
        """The lines with this verdict."""
        return tuple(line for line in self.lines if line.verdict == verdict)
