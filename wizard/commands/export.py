"""`loracle export`: a run's configuration as another trainer's files."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

from advisor.errors import ConfigError, Mistakes
from advisor.run_folder.export_lock import exporting
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import writing
from templates.exporters import EXPORTERS, export_run
from templates.exporting.exporter import ExportOptions
from wizard.output import columns, print_json, say, show, wrapped

WHAT = "loracle export"


def export(
    run: Path,
    *,
    to: str,
    out: Path | None = None,
    overwrite: bool = False,
    copy: bool = False,
    with_prompts: bool = False,
    as_json: bool = False,
) -> None:
    """Write the files, then print their paths, how to train with them, and which settings they cannot hold.

    Args:
        overwrite: replace files that the user changed or made, after keeping each beside it.
        copy: copies of the images, no links.
        with_prompts: write the prompts that a rule proposed, too.

    Raises:
        LoraError: there is no such run or trainer, another process works on the run, or the files cannot be written.
    """
    mistakes, options = Mistakes(), ExportOptions(overwrite, copy, with_prompts)
    if to not in EXPORTERS:
        mistakes.add(ConfigError("--to", to, f"take {' or '.join(EXPORTERS)}"))
    folder = mistakes.attempt(lambda: RunFolder.given(run))
    config = None if folder is None else mistakes.attempt(folder.read_config)
    mistakes.refuse()
    assert folder is not None
    assert config is not None
    is_read_only = out is not None and not os.access(folder.path, os.W_OK)
    with (
        nullcontext() if is_read_only else writing(folder, WHAT, say),
        nullcontext() if out is None else exporting(out, WHAT),
    ):
        written = export_run(to, config, run=folder, out=out, options=options)
    if as_json:
        notes, how = list(written.notes), written.how_to_start
        print_json({"paths": [str(path) for path in written.paths], "notes": notes, "how_to_start": how})
        return
    show("\n".join(str(path) for path in written.paths))
    notes = [*(f"- {note}" for note in written.notes), ""] if written.notes else []
    say("\n" + wrapped("\n".join([*notes, written.how_to_start]), columns()))
