"""Points in time as text."""

from __future__ import annotations

from datetime import datetime

from advisor.units import LONGEST_SECONDS, MINUTE

UNMISTAKABLE = 12 * 60 * MINUTE
"""Seconds until a time of day that needs no day beside it, past midnight too."""


def clock_time(now: float, seconds: float) -> str:
    """When it is `seconds` later: `14:05` today or within 12 hours, `Tue 14:05` this week, else the date.

    Where nobody can tell: `in more than 100 years`.

    Args:
        now: unix seconds.
        seconds: below 0: none.
    """
    if seconds > LONGEST_SECONDS:
        return "in more than 100 years"
    seconds = max(0.0, seconds)
    start, end = datetime.fromtimestamp(now), datetime.fromtimestamp(now + seconds)
    days = (end.date() - start.date()).days
    if days == 0 or seconds < UNMISTAKABLE:
        return end.strftime("%H:%M")
    return end.strftime("%a %H:%M") if days < 7 else end.strftime("%Y-%m-%d")
