"""Durations and points in time as text."""

from __future__ import annotations

from datetime import datetime

from advisor.units import counted

MINUTE = 60
"""Seconds."""
UNMISTAKABLE = 12 * 60 * MINUTE
"""Seconds until a time of day that needs no day beside it, past midnight too."""
LONGEST = 100 * 365 * 24 * 60 * MINUTE
"""Seconds of a century; what is said to take longer, as by an event that nobody measured, is not told exactly."""


def duration(seconds: float) -> str:
    """E.g. `40 seconds`, `25 minutes`, `3 hours 10 minutes`, `2 days 4 hours`."""
    if seconds > LONGEST:
        return "more than 100 years"
    if seconds < 1.5 * MINUTE:
        return counted(max(1, round(seconds)), "second")
    minutes = round(seconds / MINUTE)
    if minutes < 90:
        return counted(minutes, "minute")
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return " ".join([counted(hours, "hour"), *([counted(minutes, "minute")] if minutes else [])])
    days, hours = divmod(hours, 24)
    return " ".join([counted(days, "day"), *([counted(hours, "hour")] if hours else [])])


def clock_time(now: float, seconds: float) -> str:
    """When it is `seconds` later: `14:05` today or within 12 hours, `Tue 14:05` this week, else the date.

    Where nobody can tell: `in more than 100 years`.

    Args:
        now: unix seconds.
        seconds: below 0: none.
    """
    if seconds > LONGEST:
        return "in more than 100 years"
    seconds = max(0.0, seconds)
    start, end = datetime.fromtimestamp(now), datetime.fromtimestamp(now + seconds)
    days = (end.date() - start.date()).days
    if days == 0 or seconds < UNMISTAKABLE:
        return end.strftime("%H:%M")
    return end.strftime("%a %H:%M") if days < 7 else end.strftime("%Y-%m-%d")
