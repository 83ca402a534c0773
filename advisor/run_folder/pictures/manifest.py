"""`images/manifest.jsonl`: the images of a run as they were when it was planned or trained, one a line.

What changed since is found by it (`advisor.run_folder.pictures.changes_since`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from advisor.dataset.caption_files import read_caption
from advisor.dataset.file_stamp import MOST_NUMBER, Stamp
from advisor.dataset.report import DatasetReport, ImageFile
from advisor.files import read_bounded
from advisor.json_text import Malformed
from advisor.run_folder.keep import delete_own, keep_beside
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.file_stamps import FileStamps
from advisor.run_folder.pictures.run_dataset import RunDataset
from advisor.run_folder.record import Count, Record, Text, parse_record
from advisor.run_folder.written import WrittenFiles
from advisor.units import MIB

MOST_MANIFEST_BYTES = 256 * MIB
"""No honest one is larger: an image takes some 500 bytes."""
MOST_DAMAGED = 10_000
"""Lines: a file with more of them is no list of ours, and may have a hundred million."""
PLANNED, EXCLUDED = "planned", "excluded"
"""The `use` of images before the first training, and of those that the user's edits leave out."""


class CaptionFile(Record):
    """A caption file as it was read."""

    sha256: Text = ""
    """Of its text, without surrounding blanks."""
    num_bytes: Count = 0
    modified_ns: int = Field(0, ge=-(2**63), lt=2**63)
    number: int = Field(0, ge=0, lt=MOST_NUMBER)

    @property
    def stamp(self) -> Stamp:
        """The file's."""
        return Stamp(self.num_bytes, self.modified_ns, self.number)


class ManifestLine(Record):
    """An image of the training."""

    path: Text
    size: tuple[Count, Count] = (0, 0)
    """Of what is trained of it: the crop, where there is one."""
    bucket: tuple[Count, Count] = (0, 0)
    repeats: Count = 1
    caption: Text | None = None
    """As it is trained."""
    use: Text = "training"
    """`training`, `validation`, `regularization`, `planned` or `excluded`."""
    crop: tuple[Count, Count, Count, Count] | None = None
    excluded: Text | None = None
    """Why the user's edits leave it out."""
    content: Text | None = None
    """The sha256 of its file, where that was read."""
    num_bytes: Count | None = None
    """None in manifests of earlier versions, which kept nothing of the files."""
    modified_ns: int | None = Field(None, ge=-(2**63), lt=2**63)
    number: int = Field(0, ge=0, lt=MOST_NUMBER)
    """As `Stamp` has it."""
    caption_file: CaptionFile | None = None
    """None: there was none, or nothing is known of the files."""
    edited: bool = False
    """The caption comes from the user's edits."""
    planned_path: Text | None = None
    """Where it lay when the run was planned, if it was renamed before an earlier training."""

    def is_file(self, stamp: Stamp) -> bool:
        """Whether the picture's file is unchanged by its stamp."""
        is_kept = self.num_bytes is not None and self.modified_ns is not None
        return is_kept and stamp.is_of(Stamp(self.num_bytes or 0, self.modified_ns or 0, self.number))


@dataclass(frozen=True)
class FileNotes:
    """What a manifest keeps of a data set's files, to tell later whether they changed."""

    stamps: Mapping[str, FileStamps] = field(default_factory=dict)
    """Taken before the files were read."""
    captions: Mapping[str, str | None] = field(default_factory=dict)
    """The caption files' texts by picture; others are read."""
    contents: Mapping[str, str] = field(default_factory=dict)
    """The sha256 of pictures, as far as they were read."""
    edited: frozenset[str] = frozenset()
    """Pictures whose caption comes from the user's edits."""
    planned_paths: Mapping[str, str] = field(default_factory=dict)
    """Of pictures that were renamed since the run was planned, the path that they had then, by the one they have."""

    @classmethod
    def of(cls, data: RunDataset, stamps: Mapping[str, FileStamps]) -> FileNotes:
        """The notes of a run's data set; of the contents those that its edits know and that are still so."""
        files, edits = data.files, data.edits.by_path
        captions = {files.path_of(image): image.caption for image in files.image_files}
        contents = {
            path: edit.seen.content
            for path, edit in edits.items()
            if edit.seen is not None and path in stamps and stamps[path].picture.is_surely(edit.seen.stamp)
        }
        return cls(stamps, captions, contents, frozenset(data.edited_captions))

    def with_contents(self, contents: Mapping[str, str]) -> FileNotes:
        """With the sha256 of more pictures."""
        return replace(self, contents={**self.contents, **contents})

    def with_planned_paths(self, paths: Mapping[str, str]) -> FileNotes:
        """With the paths that renamed pictures had."""
        return replace(self, planned_paths=paths)

    def fields(self, path: str) -> dict[str, Any]:
        """What stands in the line of a picture; nothing where it is not known."""
        stamps = self.stamps.get(path)
        if stamps is None:
            return {}
        found: dict[str, Any] = _told(stamps.picture)
        if path in self.contents:
            found["content"] = self.contents[path]
        if path in self.edited:
            found["edited"] = True
        if path in self.planned_paths:
            found["planned_path"] = self.planned_paths[path]
        if stamps.caption is not None:
            found["caption_file"] = {
                "sha256": caption_digest(self._caption(path, stamps.caption_path)),
                **_told(stamps.caption),
            }
        return found

    def _caption(self, path: str, caption_path: str) -> str | None:
        return self.captions[path] if path in self.captions else read_caption(Path(caption_path), Path(path)).text


def _told(stamp: Stamp) -> dict[str, int]:
    """What a manifest keeps of a stamp; not `touched_ns`, which changes with each export."""
    return {"num_bytes": stamp.num_bytes, "modified_ns": stamp.modified_ns, "number": stamp.number}


def caption_digest(text: str | None) -> str:
    """The sha256 of a caption file's text; of one that cannot be used too."""
    return sha256(("" if text is None else text).encode("utf-8", "surrogatepass")).hexdigest()


def read_manifest_lines(path: Path) -> tuple[ManifestLine, ...]:
    """The images in a manifest; none where it is not there or cannot be read. Damaged lines are passed over, and what
    stands behind `MOST_DAMAGED` of them.
    """
    try:
        content = read_bounded(path, MOST_MANIFEST_BYTES)
    except OSError:
        return ()
    found, num_damaged = list[ManifestLine](), 0
    for line in filter(None, content.splitlines()):
        try:
            found.append(parse_record(line, ManifestLine))
        except (Malformed, ValidationError):
            num_damaged += 1
            if num_damaged > MOST_DAMAGED:
                break
    return tuple(found)


def write_manifest_lines(run: RunFolder, lines: Iterable[Mapping[str, Any]]) -> None:
    """Put the list of images into the run folder; one that the user changed, or made, is kept beside it.

    Raises:
        RunError: it cannot be written.
    """
    text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
    WrittenFiles(run.path).write(run.manifest, text.encode("utf-8", "replace"), "run")


def forget_manifest(run: RunFolder) -> None:
    """Delete the list, if that can be, where the run is planned for images that are not here; one of the user's stays,
    and one that they changed is kept beside.

    Raises:
        RunError: a link leads out of the run there.
    """
    if WrittenFiles(run.path).was_changed(run.manifest, "run"):
        keep_beside(run.manifest)
    delete_own(run.manifest, _is_manifest)


def planned_lines(report: DatasetReport, notes: FileNotes) -> list[dict[str, Any]]:
    """The lines of a data set that was planned for, and the ones that the edits leave out."""
    found = [line_of(report, image, notes) | {"use": PLANNED} for image in report.image_files]
    return [*found, *excluded_lines(report, notes)]


def excluded_lines(report: DatasetReport, notes: FileNotes) -> list[dict[str, Any]]:
    """The lines of the pictures that the edits leave out, each with the reason."""
    return [
        line_of(report, one.image, notes) | {"use": EXCLUDED, "excluded": one.reason} for one in report.excluded
    ]  # fmt: skip


def line_of(report: DatasetReport, image: ImageFile, notes: FileNotes) -> dict[str, Any]:
    """The line of a picture that is in no bucket."""
    path = report.path_of(image)
    crop = {} if image.crop is None else {"crop": image.crop.box}
    size = image.width_px, image.height_px
    line = {"path": path, "size": size, "bucket": (0, 0), "repeats": 0, "caption": image.caption}
    return line | crop | notes.fields(path)


def _is_manifest(content: bytes) -> bool:
    """Whether its first line is one of ours: `images/` may be a folder of the user's, with a list of their own."""
    with suppress(ValueError, RecursionError):
        first = json.loads(content.partition(b"\n")[0])
        return isinstance(first, dict) and {"path", "size", "bucket", "repeats", "caption"} <= first.keys()
    return False
