"""Writes the files of an export, once it is known that none of them is the user's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

from advisor.run_folder.keep import keep_beside, kept_sentence
from advisor.run_folder.write_over import NewFile, UsersFiles, put, users_files
from advisor.run_folder.written import Kind, WrittenFiles
from advisor.settings.config import TrainingConfig
from templates.exporting.exporter import ExportOptions
from templates.exporting.paths import absolute
from templates.exporting.planned_images import PlannedImages, filled
from templates.exporting.read_only_pictures import refuse_among_pictures


def write_files(
    texts: Mapping[Path, str | bytes],
    images: Sequence[PlannedImages | None] = (),
    *,
    config: TrainingConfig,
    run: Path,
    kind: Kind,
    options: ExportOptions,
) -> tuple[str, ...]:
    """Make the image folders, then write the files; what the user should hear of it.

    Args:
        texts: what each file holds, text as UTF-8.

    Raises:
        UsersFiles: some are the user's and are not to be overwritten; nothing was written.
        RunError: an image folder is one of those that the pictures come from; nothing was written.
        RunError: something cannot be written.
    """
    written, extension = WrittenFiles(absolute(run)), config.dataset.caption_extension
    contents = ((path, text.encode("utf-8") if isinstance(text, str) else text) for path, text in texts.items())
    files = [NewFile(path, content, kind) for path, content in contents]
    here = [planned for planned in images if planned is not None and planned.folders is not None]
    refuse_among_pictures(here, config.dataset, absolute(run), written)
    among_images = [planned.links.users_files(planned.folders or (), extension, written) for planned in here]
    found = [*users_files(files, written), *chain.from_iterable(among_images)]
    if found and not options.overwrite:
        raise UsersFiles(found)
    notes = [kept_sentence(keep_beside(path)) for path in found]
    for planned, given_up in zip(here, among_images, strict=True):
        notes += filled(planned, extension, written, copy=options.copy, given_up=given_up)
    put(files, written)
    return tuple(notes)
