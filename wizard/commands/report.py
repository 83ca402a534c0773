"""`loracle report`: writes a run's report as one HTML file."""

from __future__ import annotations

from advisor.run_folder.layout import RunFolder
from advisor.run_folder.write_over import MEND_HERE, UsersFiles
from wizard.interview.paths import given_path
from wizard.output import print_json, show
from wizard.show.run_report import write_run_report


def report(run: str, *, overwrite: bool = False, as_json: bool = False) -> None:
    """Write report.html from the files of the run folder.

    Args:
        overwrite: replace a page that the user changed or made, after keeping it beside.

    Raises:
        RunError: it is no run folder, or the page cannot be written.
    """
    try:
        path = write_run_report(RunFolder(given_path(run).absolute()), overwrite=overwrite)
    except UsersFiles as error:
        raise UsersFiles(error.files, MEND_HERE) from None
    if as_json:
        print_json({"report": str(path)})
    else:
        show(f"Report: {path}")
