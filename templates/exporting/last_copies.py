"""Which files of an earlier export may be all that is left of a picture, its mask or its caption."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from advisor.dataset.image_size import IMAGE_EXTENSIONS
from advisor.dataset.mask_files import MASK_SUFFIX, is_mask
from advisor.run_folder.written import WrittenFiles
from advisor.same_place import identity

OTHERS_PICTURES = {*IMAGE_EXTENSIONS, ".gif", ".jxl", ".tif", ".tiff"}
"""Endings of what one trainer or another takes for a picture."""


def last_copies(
    root: Path, names: Collection[str], written: WrittenFiles, uncaptioned: Collection[str]
) -> Iterator[str]:
    """Those of the names; a caption and a mask go with a picture that is gone.

    Args:
        root: the folder that they lie in.
        names: `folder/file`, of all that is there of the earlier export.
        uncaptioned: pictures that are exported now and have no caption, by their path without links.
    """
    pictures = {_beside(name): name for name in names if _is_picture(name)}
    files = {name: identity(root / name, follow_links=False) for name in names}
    num_names = Counter(files.values())
    gone = {name for name, file in files.items() if written.is_last_copy(root / name, num_names[file])}
    for name in names:
        is_caption = not _is_picture(name) and not is_mask(name)
        with_its_picture = pictures.get(_beside(name), name) in gone
        of_itself = written.source_of(root / name) in uncaptioned if is_caption else name in gone
        if with_its_picture or of_itself:
            yield name


def _is_picture(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in OTHERS_PICTURES and not is_mask(name)


def _beside(name: str) -> str:
    """What a picture's name and those of its caption and mask have in common."""
    path = PurePosixPath(name)
    return str(path.with_name(path.stem.removesuffix(MASK_SUFFIX) if is_mask(name) else path.stem))
