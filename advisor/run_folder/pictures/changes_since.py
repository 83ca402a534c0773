"""Which pictures and caption files of a run changed since it was planned or trained, by the manifest kept then.

Sizes and times are compared first; a file is read only where they differ, since copying a folder changes times alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from advisor.dataset.caption_files import read_caption
from advisor.dataset.captions import CaptionReader
from advisor.dataset.edits import Edits, PictureEdit, SeenPicture
from advisor.dataset.following_edits import followed
from advisor.dataset.report import Box
from advisor.dataset.scan import is_usable
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.file_stamps import FileStamps, file_stamps
from advisor.run_folder.pictures.manifest import EXCLUDED, PLANNED, ManifestLine, caption_digest, read_manifest_lines
from advisor.run_folder.pictures.run_dataset import RunDataset
from advisor.run_folder.pictures.seen_pictures import DiskLook
from advisor.settings.config import TrainingConfig


@dataclass(frozen=True)
class ChangesSince:
    """Absolute paths of pictures, each list in their order."""

    appeared: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    """Then and now."""
    pictures: tuple[str, ...] = ()
    """Those whose file has another content."""
    captions: tuple[str, ...] = ()
    """Those whose caption file has another text, came or went."""
    root: str = ""
    """The folder of the pictures."""

    def __bool__(self) -> bool:
        return any((self.appeared, self.vanished, self.renamed, self.pictures, self.captions))


def changes_since(run: RunFolder, config: TrainingConfig) -> ChangesSince:
    """What changed; nothing where no manifest was kept, and where the pictures' folder is not there.

    Raises:
        RunError: the list of pictures that are left out cannot be read.
    """
    located = run.located(config)
    dataset = located.dataset
    known = {line.path: line for line in _known(run, dataset.images) if line.use != "regularization"}
    stamps = file_stamps(Path(dataset.images), dataset.named_folders, dataset.caption_extension)
    if not known or not stamps:
        return ChangesSince()
    left_out = {Path(path).as_posix() for path in run.read_left_out().paths}
    appeared = [path for path in stamps if path not in known and path not in left_out and is_usable(Path(path))]
    vanished = [path for path in known if path not in stamps]
    both = [(line, stamps[path]) for path, line in known.items() if path in stamps]
    look = DiskLook()
    renamed = _renamed([known[path] for path in vanished], appeared, look)
    before, now = {pair[0] for pair in renamed}, {pair[1] for pair in renamed}
    return ChangesSince(
        appeared=tuple(path for path in appeared if path not in now),
        vanished=tuple(path for path in vanished if path not in before),
        renamed=renamed,
        pictures=tuple(line.path for line, found in both if _is_other_picture(line, found, look)),
        captions=tuple(line.path for line, found in both if _is_other_caption(line, found)),
        root=Path(dataset.images).as_posix(),
    )


def planned_paths(run: RunFolder, changes: ChangesSince) -> dict[str, str]:
    """Of pictures that were renamed since the run was planned, the path that they had then, by the one they have now:
    those renamed since the manifest was written, and those that it knows as renamed before.
    """
    before = {line.path: line.planned_path for line in read_manifest_lines(run.manifest) if line.planned_path}
    now = {new: before.pop(old, old) for old, new in changes.renamed}
    return before | now


def edited_since(
    run: RunFolder, config: TrainingConfig, data: RunDataset, renamed: Iterable[tuple[str, str]]
) -> tuple[str, ...]:
    """Paths of the pictures of the last training that the user edited since, or took edits back of.

    Args:
        data: the run's data set now.
        renamed: pictures that have another name since then: their paths then and now.
    """
    now, reader = dict(renamed), CaptionReader.of(config)
    crops = {data.report.path_of(image): image.crop for image in data.report.image_files}
    excluded = {data.report.path_of(one.image) for one in data.report.excluded}
    found = list[str]()
    for line in read_manifest_lines(run.manifest):
        path = now.get(line.path, line.path)
        if line.use in ("regularization", PLANNED) or not (path in crops or path in excluded):
            continue
        crop = crops.get(path)
        if (path in excluded) != (line.use == EXCLUDED) or (
            path in crops and _is_edited(line, data.edits.get(path).caption, None if crop is None else crop.box, reader)
        ):
            found.append(path)
    return tuple(found)


def _is_edited(line: ManifestLine, caption: str | None, crop: Box | None, reader: CaptionReader) -> bool:
    """Whether a picture was trained with another caption of the user's, or another crop, than it has now."""
    read = None if caption is None else reader.read(caption)
    return read != (line.caption if line.edited else None) or crop != line.crop


def _known(run: RunFolder, images: str) -> Sequence[ManifestLine]:
    """The lines of the manifest; of runs that were planned before there was one, the names that plan.json has."""
    lines = read_manifest_lines(run.manifest)
    record = None if lines else run.known_plan()
    planned = None if record is None else record.fields.dataset
    if planned is None or planned.root != images:
        return lines
    return [ManifestLine(path=(Path(images) / name).as_posix()) for name in planned.images]


def _renamed(vanished: Sequence[ManifestLine], appeared: Sequence[str], look: DiskLook) -> tuple[tuple[str, str], ...]:
    """Pictures that have another name now, found as edits find theirs."""
    seen = {line.path: SeenPicture(line.content, line.num_bytes or 0, 0) for line in vanished if line.content}
    edits = Edits({path: PictureEdit(path, seen=found) for path, found in seen.items()})
    return followed(edits, appeared, look).renamed


def _is_other_picture(line: ManifestLine, found: FileStamps, look: DiskLook) -> bool:
    """Whether a picture has another content; where none was kept, only another size tells."""
    if line.num_bytes is None or line.is_file(found.picture):
        return False
    if line.num_bytes != found.picture.num_bytes:
        return True
    return line.content is not None and look.content(line.path) != line.content


def _is_other_caption(line: ManifestLine, found: FileStamps) -> bool:
    if line.num_bytes is None:
        return False
    if line.caption_file is None or found.caption is None:
        return (line.caption_file is None) != (found.caption is None)
    if found.caption.is_of(line.caption_file.stamp):
        return False
    return caption_digest(read_caption(Path(found.caption_path), Path(line.path)).text) != line.caption_file.sha256
