"""What the user decided of single pictures, laid over what their folder holds: captions, exclusions, crops.

The user's folder is never written to: such edits are kept in the run (`advisor.run_folder.pictures.edits_file`), and
whatever reads the data set of a run reads it through them (`advisor.run_folder.pictures.run_dataset`). Why:
docs/decisions/0040-edits-of-pictures.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from operator import itemgetter

from advisor.dataset.file_stamp import Stamp
from advisor.dataset.report import Box, DatasetReport, ExcludedImage, ImageFile, PictureCrop, Problem

CAPTION_PROBLEMS = ("caption_encoding", "empty_caption", "unreadable_caption", "long_caption")
"""Of caption files that are not read; an edited caption stands in their place."""
LEAST_CROP_PX = 32
"""Of a crop's sides, as of a picture's."""


@dataclass(frozen=True, slots=True)
class SeenPicture:
    """A picture's file as it was when it was edited, so that it is known again under another name."""

    content: str
    """The sha256 of its bytes."""
    num_bytes: int
    modified_ns: int
    twins: tuple[str, ...] = ()
    """Paths of other pictures with the same bytes, to which its edits do not go over."""
    number: int = 0
    touched_ns: int = 0
    """Both as `Stamp` has them."""

    @classmethod
    def of(cls, content: str, stamp: Stamp) -> SeenPicture:
        """A file with that content and stamp."""
        return cls(content, stamp.num_bytes, stamp.modified_ns, number=stamp.number, touched_ns=stamp.touched_ns)

    @property
    def stamp(self) -> Stamp:
        """The file's."""
        return Stamp(self.num_bytes, self.modified_ns, self.number, self.touched_ns)


@dataclass(frozen=True, slots=True)
class PictureEdit:
    """What the user decided of one picture; what is None was not decided."""

    path: str
    """Absolute, with forward slashes, as the manifest names pictures (`DatasetReport.path_of`)."""
    caption: str | None = None
    """In place of the caption file's text; empty: as an empty caption file."""
    excluded: str | None = None
    """Why it is left out; empty: it is not, whatever was decided before."""
    crop: Box | None = None
    """What of the picture is trained, in its pixels as it is shown; the whole picture: it is not cropped."""
    replaced: str | None = None
    """Where there is a caption: the caption file's text when it was edited; None: there was no file."""
    seen: SeenPicture | None = None
    """The picture's file when it was edited; None: it was not there."""

    def then(self, later: PictureEdit) -> PictureEdit:
        """Both, the later one where both decide the same; the path is the later one's."""
        caption = self if later.caption is None else later
        return PictureEdit(
            path=later.path,
            caption=caption.caption,
            excluded=self.excluded if later.excluded is None else later.excluded,
            crop=later.crop or self.crop,
            replaced=caption.replaced,
            seen=later.seen or self.seen,
        )


@dataclass(frozen=True)
class Edits:
    """All edits of a run: each picture's path with what was decided of it in all."""

    by_path: Mapping[str, PictureEdit] = field(default_factory=dict)
    """In the order of their last change."""

    @classmethod
    def of(cls, edits: Iterable[PictureEdit]) -> Edits:
        """Edits in the order in which they were made, as one for each picture."""
        return cls().with_more(edits)

    def __bool__(self) -> bool:
        return bool(self.by_path)

    def get(self, path: str) -> PictureEdit:
        """What was decided of a picture; an edit that decides nothing where nothing was."""
        return self.by_path.get(path, PictureEdit(path))

    def with_more(self, edits: Iterable[PictureEdit]) -> Edits:
        """These with later ones, as a change that is not made yet would leave them."""
        merged = GrowingEdits(self)
        merged.add(edits)
        return merged.edits()

    def moved(self, paths: Iterable[tuple[str, str]]) -> Edits:
        """These after pictures got other names, all at once.

        Args:
            paths: pictures then and now.
        """
        merged = GrowingEdits(self)
        merged.move(paths)
        return merged.edits()

    def applied(self, report: DatasetReport) -> DatasetReport:
        """The data set as it is trained: captions replaced, excluded pictures left out, crops in the pictures' sizes.

        A crop that reaches beyond its picture, which was replaced since, is not used and becomes a problem.
        """
        if not self.by_path:
            return report
        kept, excluded, problems = list[ImageFile](), list[ExcludedImage](), list[Problem]()
        for image in report.image_files:
            edit = self.get(report.path_of(image))
            edited = image if edit.caption is None else replace(image, caption=edit.caption)
            if edit.crop is not None:
                if fits(edit.crop, image):
                    edited = cropped(edited, edit.crop)
                else:
                    problems.append(_crop_outside(image, edit.crop))
            if edit.excluded:
                excluded.append(ExcludedImage(edited, edit.excluded))
            else:
                kept.append(edited)
        found = report.with_images(tuple(kept))
        problems = [*self._unsettled(report), *problems]
        return replace(found, excluded=report.excluded + tuple(excluded), problems=tuple(problems))

    def _unsettled(self, report: DatasetReport) -> list[Problem]:
        """The problems without those of caption files that are not read: another caption stands in their place, or
        their pictures are left out.
        """
        is_read = dict[str, bool]()  # by what a caption file may be called, but for its extension
        for image in report.image_files:
            edit = self.get(report.path_of(image))
            for stem in (image.path.casefold(), _stem(image.path)):
                is_read[stem] = is_read.get(stem, False) or (edit.caption is None and not edit.excluded)
        return [
            problem
            for problem in report.problems
            if problem.code not in CAPTION_PROBLEMS or is_read.get(_stem(problem.path), True)
        ]


class GrowingEdits:
    """Edits to which more come, and whose pictures get other names: each change costs as much as it names."""

    def __init__(self, edits: Edits | None = None) -> None:
        """Begin with these, or with none."""
        self._last = count()
        self._by_path = {path: (next(self._last), edit) for path, edit in (edits or Edits()).by_path.items()}

    def add(self, edits: Iterable[PictureEdit]) -> None:
        """Lay later ones over these."""
        for edit in edits:
            self._lay(next(self._last), edit)

    def move(self, paths: Iterable[tuple[str, str]]) -> None:
        """Let pictures have other names, all at once; of two that get one name, what was decided later counts.

        Args:
            paths: pictures then and now.
        """
        now = dict(paths)
        taken = [(self._by_path.pop(path), name) for path, name in now.items() if path in self._by_path]
        for (when, edit), name in taken:
            self._lay(when, replace(edit, path=name))

    def edits(self) -> Edits:
        """What they come to."""
        ordered = sorted(self._by_path.values(), key=itemgetter(0))
        return Edits({edit.path: edit for _, edit in ordered})

    def _lay(self, when: int, edit: PictureEdit) -> None:
        found = self._by_path.get(edit.path)
        if found is not None:
            (_, earlier), (when, later) = sorted((found, (when, edit)), key=itemgetter(0))
            edit = earlier.then(later)
        self._by_path[edit.path] = when, edit


def _stem(path: str) -> str:
    """What a picture and its caption file have in common, whatever the case they are written in."""
    return path.rpartition(".")[0].casefold()


def fits(box: Box, image: ImageFile) -> bool:
    """Whether a crop lies in a picture, and is large enough to be trained."""
    left, top, right, bottom = box
    width, height = whole_size(image)
    is_within = min(left, top) >= 0 and right <= width and bottom <= height
    return is_within and right - left >= LEAST_CROP_PX and bottom - top >= LEAST_CROP_PX


def cropped(image: ImageFile, box: Box) -> ImageFile:
    """The picture with that part of it alone; with all of it where the box is the whole picture."""
    whole = whole_size(image)
    crop = None if box == (0, 0, *whole) else PictureCrop(box, whole)
    return replace(image, width_px=box[2] - box[0], height_px=box[3] - box[1], crop=crop)


def whole_size(image: ImageFile) -> tuple[int, int]:
    """Width and height of the picture before any crop."""
    return (image.width_px, image.height_px) if image.crop is None else image.crop.whole


def _crop_outside(image: ImageFile, box: Box) -> Problem:
    width, height = whole_size(image)
    found = (
        f"the crop {', '.join(map(str, box))} of your edits does not lie in the picture of {width} x {height} pixels"
    )
    return Problem(image.path, "crop_outside", f"{found}: all of it is trained until it is cropped anew")
