from __future__ import annotations

from pathlib import Path

import pytest

from wizard.own_command import as_typed, own_command


def test_an_installed_loracle_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LORACLE_COMMAND", raising=False)

    assert own_command("train", Path("my run")) == 'loracle train "my run"'
    assert as_typed("see `loracle doctor`") == "see `loracle doctor`"


def test_whoever_came_through_start_py_is_told_that_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORACLE_COMMAND", "py start.py")

    assert own_command("train", Path("run")) == 'py start.py train "run"'
    assert as_typed("see `loracle doctor`, or `loracle plan --json`") == (
        "see `py start.py doctor`, or `py start.py plan --json`"
    )
