"""`loracle report`: writes the page of a run, or of several side by side, as one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from advisor.files import is_file
from advisor.run_folder.layout import RunFolder
from templates.report.comparison import write_comparison
from wizard.interview.paths import given_path
from wizard.output import print_json, say, show
from wizard.show.run_report import write_run_report


def report(
    runs: Sequence[str], *, out: Path | None = None, overwrite: bool = False, as_json: bool = False
) -> None:  # fmt: skip
    """Write the page of a run from the files of its folder; of several runs one page on which they stand side by side.

    Args:
        out: where to; None: `report.html` in the run folder, or `comparison.html` in that of the first run.
        overwrite: replace a page that the user changed or made, after keeping it beside.

    Raises:
        UsersFiles: the page that is there is the user's.
        RunError: one is no run folder, or the page cannot be written.
    """
    folders = [_run_of(given_path(run).absolute()) for run in runs]
    page = None if out is None else given_path(str(out)).absolute()
    if len(folders) == 1:
        path = write_run_report(folders[0], page=page, overwrite=overwrite)
    else:
        path = write_comparison(folders, page=page, overwrite=overwrite, tell=say)
    if as_json:
        print_json({"report": str(path)})
    else:
        show(f"Report: {path}")


def _run_of(path: Path) -> RunFolder:
    """The run whose folder, or configuration file, this is; the folder need not have one any more."""
    return RunFolder.given(path) if is_file(path) else RunFolder(path)
