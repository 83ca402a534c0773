from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import RunError
from advisor.run_folder.grids.picks_file import read_picks
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.place import RunPlace
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


def nothing() -> None:
    """The grid is still there."""


@pytest.mark.parametrize("terminal", [True, False])
def test_the_address_is_told_and_a_browser_opened_in_a_terminal_alone(
    tmp_path: Path,
    opened: list[str],
    terminal: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sitting, "is_terminal", lambda: terminal)

    sit(RunFolder(tmp_path).grid, write_grid(tmp_path, epochs=2), "mira", nothing)

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

    sit(RunFolder(tmp_path).grid, write_grid(tmp_path, epochs=2), "mira", nothing)
    assert len(interrupts) == 1


def test_where_there_is_nothing_to_choose_between_that_is_told(tmp_path: Path, opened: list[str]) -> None:
    with pytest.raises(RunError, match=r"one LoRA alone.*--epochs"):
        sit(RunFolder(tmp_path).grid, write_grid(tmp_path, epochs=1), "mira", nothing)


def test_pictures_that_are_gone_are_not_shown(tmp_path: Path) -> None:
    grid = write_grid(tmp_path, epochs=2)
    (tmp_path / "grid" / grid.cells[-1].path).unlink()

    assert with_pictures(RunFolder(tmp_path).grid, grid).cells == grid.cells[:-1]


def test_nothing_is_written_into_another_run_that_was_put_at_the_name_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, other = tmp_path / "mira", tmp_path / "nori"
    record = write_grid(run, epochs=2)
    write_grid(other, epochs=2)
    refused = list[str]()

    def served(server: VoteServer) -> None:
        server._http.server_close()
        first, second = (server.session.question() for _ in range(2))
        assert first is not None
        assert second is not None
        assert server.session.answer(first.id, "left")
        run.rename(tmp_path / "mira, before")
        other.rename(run)
        for act in (lambda: server.session.answer(second.id, "left"), server.session.undo):
            with pytest.raises(RunError) as raised:
                act()
            refused.append(str(raised.value))

    monkeypatch.setattr(VoteServer, "serve", served)
    with closing(RunPlace.of(run)) as place:
        sit(RunFolder(run).grid, record, "mira", place.check)

    assert len(refused) == 2
    assert all("no longer the folder that this began in" in told for told in refused)
    assert not RunFolder(run).grid.picks.exists()
    assert len(read_picks(RunFolder(tmp_path / "mira, before").grid.picks).lines) == 1
