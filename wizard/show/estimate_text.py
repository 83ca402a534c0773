"""Figures of an estimate as text, alike wherever they are shown."""

from __future__ import annotations

from advisor.plan import Estimate
from advisor.planning.warnings import PHASES
from advisor.units import gib


def memory_text(estimate: Estimate) -> str:
    """The peak of a step, and of the phase that needs more, if one does: `7.1 GiB (10.1 while drawing samples)`."""
    if estimate.peak_phase is None:
        return gib(estimate.vram_bytes)
    doing, _ = PHASES[estimate.peak_phase]
    return f"{gib(estimate.vram_bytes)} ({gib(estimate.peak_bytes)} while {doing})"
