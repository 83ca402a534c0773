from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from advisor.errors import RunError
from advisor.run_folder.layout import RunFolder
from tests.support.report_runs import write_grid
from wizard.voting import sitting
from wizard.voting.server import VoteServer
from wizard.voting.sitting import sit, with_pictures


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that a browser was opened at; nobody waits for an answer."""
    found = list[str]()
    monkeypatch.setattr("webbrowser.open", found.append)
    monkeypatch.setattr(VoteServer, "serve", lambda self: self._http.server_close())
    return found


@pytest.mark.parametrize("terminal", [True, False])
def test_the_address_is_told_and_a_browser_opened_in_a_terminal_alone(
    tmp_path: Path,
    opened: list[str],
    terminal: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sitting, "is_terminal", lambda: terminal)

    sit(RunFolder(tmp_path).grid, write_grid(tmp_path, epochs=2), "mira")

    told = capsys.readouterr()
    assert told.out == ""
    assert "http://127.0.0.1:" in told.err
    assert [address in told.err for address in opened] == [True] * terminal


def test_ctrl_c_ends_it(tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    interrupts = list[VoteServer]()

    def interrupted(server: Any) -> None:
        server._http.server_close()
        interrupts.append(server)
        raise KeyboardInterrupt

    monkeypatch.setattr(VoteServer, "serve", interrupted)

    sit(RunFolder(tmp_path).grid, write_grid(tmp_path, epochs=2), "mira")
    assert len(interrupts) == 1


def test_where_there_is_nothing_to_choose_between_that_is_told(tmp_path: Path, opened: list[str]) -> None:
    with pytest.raises(RunError, match=r"one LoRA alone.*--epochs"):
        sit(RunFolder(tmp_path).grid, write_grid(tmp_path, epochs=1), "mira")


def test_pictures_that_are_gone_are_not_shown(tmp_path: Path) -> None:
    grid = write_grid(tmp_path, epochs=2)
    (tmp_path / "grid" / grid.cells[-1].path).unlink()

    assert with_pictures(RunFolder(tmp_path).grid, grid).cells == grid.cells[:-1]
