from __future__ import annotations

import io
import sys

import pytest
from rich.file_proxy import FileProxy

from wizard.output import console, notify
from wizard.show import notice
from wizard.show.notice import announced_end

BELL, NOTICE = "\a", "\x1b]9;mira is done\a"


def rung(
    monkeypatch: pytest.MonkeyPatch, text: str = "mira is done", *, is_terminal: bool = True, **environment: str
) -> str:
    """What is sent to a terminal that takes notices, if nothing else is named."""
    file = io.StringIO()
    monkeypatch.setattr(file, "isatty", lambda: is_terminal)
    monkeypatch.setattr(sys, "stderr", file)
    for name, value in {"TERM": "xterm", "WT_SESSION": "1", "LORACLE_NOTICE": "", **environment}.items():
        monkeypatch.setenv(name, value)
    notify(text)
    return file.getvalue()


def test_a_terminal_rings_and_shows_a_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rung(monkeypatch) == NOTICE + BELL


def test_beside_a_bar_the_notice_reaches_the_terminal_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", FileProxy(console(terminal), terminal))
    for name, value in {"TERM": "xterm", "WT_SESSION": "1", "LORACLE_NOTICE": ""}.items():
        monkeypatch.setenv(name, value)

    notify("mira is done")

    assert terminal.getvalue() == NOTICE + BELL


@pytest.mark.parametrize(("wanted", "sent"), [("off", ""), ("bell", BELL)])
def test_the_user_may_want_less(monkeypatch: pytest.MonkeyPatch, wanted: str, sent: str) -> None:
    assert rung(monkeypatch, LORACLE_NOTICE=wanted) == sent


def test_a_file_or_a_dumb_terminal_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rung(monkeypatch, TERM="dumb") == ""
    assert rung(monkeypatch, is_terminal=False) == ""


@pytest.mark.skipif(sys.platform == "win32", reason="the console of Linux")
def test_a_console_that_would_write_the_notice_out_only_rings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rung(monkeypatch, TERM="linux") == BELL


def test_a_name_cannot_steer_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rung(monkeypatch, "a\x1b]0;title\a\nb") == "\x1b]9;a\\x1b]0;title\\x07\\nb\a\a"


@pytest.mark.parametrize(
    ("error", "seconds", "told"),
    [(None, 31.0, ["Loracle: mira is done"]), (None, 29.0, []),
     (ValueError, 31.0, ["Loracle: mira has stopped, look at the terminal"]),
     (KeyboardInterrupt, 31.0, [])],
)  # fmt: skip
def test_the_end_of_long_work_is_announced_but_not_to_who_ends_it(
    error: type[BaseException] | None, seconds: float, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    clock = iter([0.0, seconds])
    monkeypatch.setattr(notice, "notify", heard.append)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))

    try:
        with announced_end("mira"):
            if error is not None:
                raise error
    except (ValueError, KeyboardInterrupt):
        assert error is not None

    assert heard == told
