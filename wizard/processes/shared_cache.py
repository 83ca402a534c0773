"""Encoded pictures and captions of one run, used by another: hard links, since an entry is written once and whole.

Each entry's name is a digest of all that shapes it, so that one that does not fit is never asked for.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from advisor.errors import LoraError
from advisor.files import is_folder
from advisor.run_folder.layout import RunFolder

KINDS = ("latents", "text", "masks")
ENDING = ".safetensors"


def share_cache(source: RunFolder, run: RunFolder) -> int:
    """Link what is in the cache of `source` into that of `run`, which the caller holds; how many entries were linked.

    What cannot be linked, as on a file system without hard links, is encoded anew by the trainer.
    """
    linked = 0
    with suppress(LoraError):  # a link out of one of the runs
        for kind in KINDS:
            linked += _link_all(source.cache(kind), run.cache(kind))
    return linked


def _link_all(source: Path, target: Path) -> int:
    linked = 0
    with suppress(OSError):
        for folder in sorted(source.iterdir()):
            for entry in sorted(folder.iterdir()) if is_folder(folder) and not folder.is_symlink() else ():
                linked += entry.name.endswith(ENDING) and _link(entry, target / folder.name / entry.name)
    return linked


def _link(entry: Path, new: Path) -> bool:
    try:
        if entry.is_symlink() or os.path.lexists(new):
            return False
        new.parent.mkdir(parents=True, exist_ok=True)
        new.hardlink_to(entry)
    except OSError:
        return False
    return True
