from __future__ import annotations

import subprocess
import sys
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


@pytest.mark.skipif(sys.platform == "win32", reason="looks at what a POSIX shell makes of it")
@pytest.mark.parametrize("name", ["my run", "Füchse 🦊 (2)", "it's", '$HOME `id` "x" \\n!', "a;b&c*"])
def test_a_shell_gets_the_path_as_it_is(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv("LORACLE_COMMAND", raising=False)
    line = own_command("train", Path(name))

    told = subprocess.run(["sh", "-c", f'loracle() {{ printf %s "$2"; }}; {line}'], capture_output=True, check=True)

    assert told.stdout.decode() == name
