"""Writing a page: what every page has, and not over one that the user made or changed."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

from markupsafe import Markup

from advisor.files import open_regular
from advisor.run_folder.keep import kept_sentence
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.write_over import NewFile, write_over
from advisor.run_folder.written import WrittenFiles
from templates.render import render

REPORT_HEAD, REPORT_TITLE = b"<!doctype html>\n", b" - Loracle</title>"
"""What every report begins with, and what its title ends with."""
MOST_TITLE_BYTES = 4096


def page_parts() -> dict[str, object]:
    """Style, script, and the policy that allows that script and no other: in none of them is a word of a run's."""
    script = render("report/files/zoom.js")
    digest = b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return {"style": Markup(render("report/files/style.css")), "script": Markup(script), "policy": Markup(policy)}


def put_page(
    path: Path, text: str, run: RunFolder, *, overwrite: bool = False, tell: Callable[[str], object] = lambda _: None
) -> Path:
    """Write a page; returns its path.

    Args:
        run: in whose notes it stands what was written.
        overwrite: replace a page that the user changed or made, after keeping it beside.
        tell: is told where such a page is kept.

    Raises:
        UsersFiles: the page that is there is the user's.
        RunError: it cannot be written.
    """
    written, new = WrittenFiles(run.path), NewFile(path, text.encode("utf-8"), "report")
    # Without a digest an older report cannot be told from an edited one; it is replaced, and kept too.
    for kept in write_over([new], written, overwrite=overwrite or _is_older_report(path, written)):
        tell(kept_sentence(kept))
    return path


def _is_older_report(path: Path, written: WrittenFiles) -> bool:
    """Whether it is a report of a version that noted no digests, as far as its head tells."""
    try:
        if path.is_symlink() or written.is_as_written(path, "report") is not None:
            return False
        with open_regular(path) as file:
            head = file.read(len(REPORT_HEAD) + MOST_TITLE_BYTES)
    except OSError:
        return False
    return head.startswith(REPORT_HEAD) and REPORT_TITLE in head
