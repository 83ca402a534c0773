"""Reading a folder of pictures: sizes and captions, and what is wrong with them. Nothing is changed or moved."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

from advisor.dataset.caption_files import read_caption
from advisor.dataset.folders import (
    OTHER_IMAGES,
    FoundFiles,
    FoundFolder,
    find_files,
    find_named_files,
    natural_key,
    stem_of,
)
from advisor.dataset.image_size import IMAGE_EXTENSIONS, UnusablePicture, picture_head
from advisor.dataset.report import CAPTION_EXTENSIONS, DatasetReport, Folder, ImageFile, Problem
from advisor.dataset.transparency import TransparencyCheck
from advisor.errors import DatasetError
from advisor.files import is_folder
from advisor.settings.config import NamedFolder
from advisor.units import first_of

LEAST_SIDE_PX = 32
"""A picture with a shorter side is an icon; the smallest training size is twice that."""

EXTENSIONS_SHOWN = FOLDERS_SHOWN = 4
PROBLEMS_SHOWN = 3
"""How many kinds of files, or unusable pictures, an error names before it says `more`."""

TELL_EVERY = 500
"""Pictures between two reports of progress."""

Tell = Callable[[int, int], None]
"""Takes how many pictures are done, and of how many."""


def scan(
    folder: Path,
    *,
    only: Sequence[NamedFolder] | None = None,
    caption_extension: str | None = None,
    tell: Tell | None = None,
) -> DatasetReport:
    """What a folder of pictures holds, in it and in its subfolders; kohya's `N_name` folders keep their N.

    Args:
        folder: flat, nested or as kohya has it; it is only read.
        only: these folders, relative to it or absolute, and nothing else, each with its own repeats and its caption as
            concept; None: all.
        caption_extension: which captions to take where a picture has several; None: those that most pictures have.
        tell: called now and then with the progress.

    Raises:
        DatasetError: there is no such folder, or it holds no usable picture.
    """
    root = Path(os.path.abspath(folder))  # noqa: PTH100  (resolve() would follow links, absolute() keeps `..`)
    found = _find(root, folder) if only is None else find_named_files(root, only)
    total = sum(len(place.images) for place in found.folders)
    if not total:
        raise DatasetError(_no_images(folder, found) if only is None else _none_in_named(folder, only, found))
    extensions = _caption_extensions(found.folders)
    wanted = caption_extension or _most_used(extensions)
    reading = _Reading(str(root), wanted, problems=list(found.problems))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large pictures and odd metadata
        for place in found.folders:
            for done in reading.add(place):
                if tell is not None and done % TELL_EVERY == 0:
                    tell(done, total)
    if tell is not None:
        tell(total, total)
    if not reading.images:
        raise DatasetError(_none_usable(folder, reading.problems))
    report = reading.report(extensions)
    return report if only is None else replace(report, only=tuple(only))


def is_usable(path: Path) -> bool:
    """Whether a scan takes this picture file, as far as its header tells."""
    try:
        head = picture_head(path)
    except UnusablePicture:
        return False
    return min(head.width_px, head.height_px) >= LEAST_SIDE_PX


@dataclass
class _Reading:
    """A report in the making."""

    root: str
    caption_extension: str
    problems: list[Problem]
    images: list[ImageFile] = field(default_factory=list)
    folders: list[Folder] = field(default_factory=list)
    done: int = 0
    seen_through: TransparencyCheck = field(default_factory=TransparencyCheck)

    def add(self, place: FoundFolder) -> Iterator[int]:
        """Read one folder's pictures, yielding after each how many have been read in all."""
        before = len(self.images)
        stems = Counter(stem_of(name) for name in place.images)
        first: dict[str, str] = {}
        for name in place.images:
            stem = stem_of(name)
            if stems[stem] > 1 and first.setdefault(stem, name) != name:
                message = f"{first[stem]} has the same name before the point, so both have one caption: rename one"
                self._report(place, name, "duplicate_name", message)
            self._add_image(place, name, stem)
            self.done += 1
            yield self.done
        if len(self.images) > before:
            self.folders.append(Folder(place.relative, len(self.images) - before, place.repeats, place.concept))

    def report(self, extensions: Counter[str]) -> DatasetReport:
        """The finished report."""
        return DatasetReport(
            root=self.root,
            image_files=tuple(self.images),
            folders=tuple(self.folders),
            problems=tuple(sorted(self.problems, key=lambda problem: natural_key(problem.path))),
            caption_extension=self.caption_extension,
            extensions=dict(extensions),
        )

    def _add_image(self, place: FoundFolder, name: str, stem: str) -> None:
        try:
            head = picture_head(place.path / name)
            width, height = head.width_px, head.height_px
            if min(width, height) < LEAST_SIDE_PX:
                mend = "take a larger copy or leave it out"
                raise UnusablePicture("too_small", f"the picture is {width} x {height} pixels, as an icon: {mend}")
        except UnusablePicture as error:
            self._report(place, name, error.code, str(error))
            return
        caption = self._caption(place, name, stem)
        path = place.below(name)
        transparent = head.has_alpha and self.seen_through.look(place.path / name, width * height)
        self.images.append(
            ImageFile(path, width, height, len(self.folders), caption, transparent, animated=head.is_animated)
        )

    def _caption(self, place: FoundFolder, name: str, stem: str) -> str | None:
        chosen = place.caption_extension(stem, self.caption_extension)
        if chosen is None:
            self._report_misnamed(place, name, stem)
            return None
        there = [extension for extension in CAPTION_EXTENSIONS if (stem, extension) in place.captions]
        if chosen != self.caption_extension:
            message = (
                f"the caption ends in {chosen} where most end in {self.caption_extension}; other trainers read one"
                f" ending only and pass over it: rename it to {stem}{self.caption_extension}"
            )
            self._report(place, place.captions[stem, chosen], "mixed_caption_extensions", message)
        elif len(there) > 1:
            others = " and ".join(place.captions[stem, extension] for extension in there if extension != chosen)
            message = f"the picture has several captions; this one is read, {others} not: keep one"
            self._report(place, place.captions[stem, chosen], "mixed_caption_extensions", message)
        caption = read_caption(place.path / place.captions[stem, chosen], place.path / name)
        if caption.code:
            self._report(place, place.captions[stem, chosen], caption.code, caption.message)
        return caption.text

    def _report_misnamed(self, place: FoundFolder, name: str, stem: str) -> None:
        """Tell of `a.png.txt`, which no trainer finds."""
        for extension in CAPTION_EXTENSIONS:
            misnamed = place.captions.get((name, extension))
            if misnamed is not None:
                message = f"the caption of {name} is not found under this name: rename it to {stem}{extension}"
                self._report(place, misnamed, "caption_name", message)

    def _report(self, place: FoundFolder, name: str, code: str, message: str) -> None:
        self.problems.append(Problem(place.below(name), code, message))


def _caption_extensions(folders: list[FoundFolder]) -> Counter[str]:
    """How many pictures have a caption file of each extension."""
    counts: Counter[str] = Counter()
    for place in folders:
        stems = {stem_of(name) for name in place.images}
        counts.update(extension for stem, extension in place.captions if stem in stems)
    return counts


def _most_used(extensions: Counter[str]) -> str:
    """The extension of most captions; of equal ones the first that kohya knows."""
    return max(CAPTION_EXTENSIONS, key=lambda extension: extensions[extension])


def _find(root: Path, folder: Path) -> FoundFiles:
    """The files below an existing folder.

    Raises:
        DatasetError: it is none, or cannot be read.
    """
    try:
        if root.is_dir():
            return find_files(root)
        if root.exists():
            raise DatasetError(f"{folder} is a file, not a folder: give the folder that the pictures are in")
    except OSError as error:
        mend = "give yourself the right to read it, or choose another folder"
        raise DatasetError(f"{folder} cannot be read: {error.strerror or error}: {mend}") from error
    raise DatasetError(f"{folder} does not exist: {_likely_meant(root)}")


def _likely_meant(root: Path) -> str:
    try:
        names = sorted(path.name for path in root.parent.iterdir() if is_folder(path))
    except OSError:
        return "check the path"
    close = get_close_matches(root.name, names, n=1)
    return f"did you mean {root.parent / close[0]}?" if close else f"check the path; {root.parent} does exist"


def _no_images(folder: Path, found: FoundFiles) -> str:
    looked_for = f"{', '.join(IMAGE_EXTENSIONS[:-1])} and {IMAGE_EXTENSIONS[-1]}"
    hints = [f"{problem.path}: {problem.message}" for problem in found.problems[:PROBLEMS_SHOWN]]
    holds = "is empty" if not found.others and not found.problems else f"holds {_counted(found.others)}no pictures"
    mend = "give the folder that the pictures are in"
    if any(extension in OTHER_IMAGES for extension in found.others):
        mend = "save the pictures as .png or .jpg first"
    return "\n".join([f"{folder} {holds} (looked for {looked_for} in it and its subfolders): {mend}", *hints])


def _none_in_named(folder: Path, only: Sequence[NamedFolder], found: FoundFiles) -> str:
    names = ", ".join(one.path for one in only[:FOLDERS_SHOWN]) + ", ..." * (len(only) > FOLDERS_SHOWN)
    hints = [f"{problem.path}: {problem.message}" for problem in found.problems[:PROBLEMS_SHOWN]]
    first = f"the folders named for {folder} ({names or 'none'}) hold no pictures: mend their paths in loracle.toml"
    return "\n".join([first, *hints])


def _counted(others: Counter[str]) -> str:
    """`12 .txt and 3 .psd files but `; nothing where there are none."""
    if not others:
        return ""
    common = sorted(others.items(), key=lambda item: (-item[1], item[0]))
    parts = [f"{count} {extension or 'nameless'}" for extension, count in common[:EXTENSIONS_SHOWN]]
    rest = sum(count for _, count in common[EXTENSIONS_SHOWN:])
    if rest:
        parts.append(f"{rest} other")
    text = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"{text} {'file' if others.total() == 1 else 'files'} but "


def _none_usable(folder: Path, problems: list[Problem]) -> str:
    of_images = [problem for problem in problems if problem.path.lower().endswith(IMAGE_EXTENSIONS)]
    shown = first_of(of_images, PROBLEMS_SHOWN)
    lines = [f"  {problem.path}: {problem.message}" for problem in shown]
    if len(of_images) > len(shown):
        lines.append(f"  and {len(of_images) - len(shown)} more")
    return "\n".join([f"none of the pictures in {folder} can be used:", *lines])
