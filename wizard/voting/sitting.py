"""A sitting of blind picks from its beginning to its end: the page is served, the picks kept, and what follows told."""

from __future__ import annotations

import secrets
import webbrowser
from collections.abc import Callable
from contextlib import suppress

from advisor.choosing.cells import Cell
from advisor.choosing.picks import candidates_of
from advisor.errors import RunError
from advisor.files import is_file
from advisor.run_folder.grids.grid_paths import GridPaths
from advisor.run_folder.grids.grid_record import GridRecord
from advisor.run_folder.grids.picks_file import PickLine, append_pick, read_picks, votable
from templates.report.vote_page import vote_page
from wizard.output import is_terminal, say
from wizard.voting.server import VoteServer
from wizard.voting.session import VotingSession

SEED_BITS = 32


def sit(paths: GridPaths, grid: GridRecord, name: str, see_that_it_is_there: Callable[[], None]) -> None:
    """Serve the page until the user presses Finish there, or Ctrl-C here.

    Args:
        name: what the LoRA is called.
        see_that_it_is_there: called before each pick is kept; raises a RunError where the grid is no longer the one
            that is shown.

    Raises:
        RunError: there are no two LoRAs to choose between, the picks cannot be read, or nothing can be served.
    """
    there = with_pictures(paths, grid)
    if len(candidates_of(votable(there))) < 2:
        raise RunError(
            f"{paths.record} has pictures of one LoRA alone, and nothing to choose between: draw several epochs or "
            "weights (--epochs, --weights)"
        )
    log = read_picks(paths.picks)

    def keep(line: PickLine) -> None:
        see_that_it_is_there()
        append_pick(paths.picks, line)

    session = VotingSession(there, log.among(there.cells), keep, secrets.randbits(SEED_BITS))
    try:
        server = VoteServer(session, vote_page(name, grid.trigger), lambda file: paths.pictures / file)
    except OSError as error:
        raise RunError(f"no page can be served on this machine: {error.strerror or error}") from error
    say(
        f"Two pictures at a time, and you take one; which epoch drew which is not shown. Picks are kept at once.\n"
        f"  {server.address}\nPress Finish there or Ctrl-C here to end."
    )
    if is_terminal():
        webbrowser.open(server.address)
    with suppress(KeyboardInterrupt):
        server.serve()


def with_pictures(paths: GridPaths, grid: GridRecord) -> GridRecord:
    """The grid without the cells whose pictures are gone."""
    return grid.model_copy(update={"cells": tuple(cell for cell in grid.cells if _is_there(paths, cell))})


def _is_there(paths: GridPaths, cell: Cell) -> bool:
    return is_file(paths.path / cell.path)
