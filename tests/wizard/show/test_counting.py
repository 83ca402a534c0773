"""The line that tells how far a count has come."""

from __future__ import annotations

import io
import sys

import pytest

from wizard.output import redraw
from wizard.show.counting import count_line, counting


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_has_a_bar_the_count_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")

    assert count_line("pictures decoded", 1200, 10_000, 12.0) == (
        "  [===---------------------------] 1,200 of 10,000 pictures decoded, 88 seconds left"
    )
    assert count_line("pictures decoded", 0, 10, 12.0).endswith("] 0 of 10 pictures decoded")
    assert count_line("pictures decoded", 1, 10, 1.0).endswith("] 1 of 10 pictures decoded")


def test_what_takes_a_moment_is_not_told_and_a_line_is_taken_away_at_the_end() -> None:
    now, drawn = [0.0], list[str]()
    tell = counting("pictures", clock=lambda: now[0], draw=drawn.append)

    for done in range(1, 11):
        now[0] += 0.15
        tell(done, 10)

    assert [line.strip().rpartition("] ")[2] for line in drawn] == [
        "4 of 10 pictures",
        "6 of 10 pictures",
        "8 of 10 pictures",
        "",
    ]


def test_a_line_is_drawn_over_the_last_one_in_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    terminal, file = Terminal(), io.StringIO()

    for stream in (terminal, file):
        monkeypatch.setattr(sys, "stderr", stream)
        redraw("a\x1b[2J" + "b" * 60)
        redraw("")

    assert file.getvalue() == ""
    assert "\x1b" not in terminal.getvalue()
    assert [len(line) for line in terminal.getvalue().split("\r")] == [0, 39, 0, 39, 0]
