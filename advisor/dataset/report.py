"""The pictures, as facts: what a folder holds, not how it was read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

from advisor.dataset.captions import SEPARATOR, CaptionReader, has_word
from advisor.settings.config import NamedFolder

CAPTION_EXTENSIONS = (".txt", ".caption", ".cap")
"""What captions end in, in the order of preference; kohya knows these three."""
UNREAD_CAPTIONS = ("caption_encoding", "unreadable_caption", "long_caption")
"""Codes of the problems of caption files whose text is not used."""


Box = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels."""


@dataclass(frozen=True, slots=True)
class PictureCrop:
    """The part of a picture that is trained, where that is not all of it."""

    box: Box
    """In the pixels of the whole picture, as it is shown."""
    whole: tuple[int, int]
    """Width and height of the whole picture."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One picture file, measured by its header alone."""

    path: str
    """Relative to the report's root, with forward slashes."""
    width_px: int
    height_px: int
    """As it is shown: a camera's orientation mark is taken into account. Of a cropped picture, those of the crop."""
    folder: int
    """Index into `DatasetReport.folders`."""
    caption: str | None = None
    """The caption file's text without surrounding blanks; None where there is no file."""
    transparent: bool = False
    """It is transparent in places, as far as `advisor.dataset.transparency` looked."""
    animated: bool = False
    """Its file holds several frames."""
    crop: PictureCrop | None = None
    """What of it the user's edits take; None: all."""


@dataclass(frozen=True, slots=True)
class ExcludedImage:
    """A usable picture that the user's edits leave out."""

    image: ImageFile
    reason: str


@dataclass(frozen=True)
class Folder:
    """A folder that holds pictures itself."""

    path: str
    """Relative to the report's root, with forward slashes; `.` is the root."""
    num_images: int
    repeats: int | None = None
    """N of a folder named `N_name`, as kohya has it: its own or the nearest one around it; None where there is none.
    Of a folder that the configuration names: what it says."""
    concept: str = ""
    """The rest of such a name, or what the configuration says: shown where a picture has no caption."""


@dataclass(frozen=True)
class Problem:
    """A file that cannot be used as it is."""

    path: str
    """Relative to the report's root, with forward slashes."""
    code: str
    """Of pictures that are left out: `unreadable_picture`, `empty_picture`, `too_small`, `huge_picture`,
    `unsupported_picture`, `name_encoding`, `lone_mask`; of captions: `caption_encoding`, `empty_caption`,
    `unreadable_caption`, `long_caption`, `caption_name`, `mixed_caption_extensions`, `duplicate_name`; of folders:
    `unreadable_folder`, `left_out_folder`, `missing_folder`, `zero_repeats`, `strange_repeats`; of the user's edits:
    `crop_outside`."""
    message: str


@dataclass(frozen=True)
class DatasetReport:
    """What `scan` found; pictures in the order of their paths."""

    root: str
    image_files: tuple[ImageFile, ...]
    folders: tuple[Folder, ...]
    problems: tuple[Problem, ...] = ()
    caption_extension: str = ".txt"
    """The extension that most captions have."""
    extensions: dict[str, int] = field(default_factory=dict)
    """Caption files by extension."""
    only: tuple[NamedFolder, ...] | None = None
    """The folders that were looked at; None: all below the root."""
    excluded: tuple[ExcludedImage, ...] = ()
    """Pictures that the user's edits leave out; they are not among `image_files`."""

    @property
    def num_images(self) -> int:
        """Usable pictures."""
        return len(self.image_files)

    @cached_property
    def num_captioned(self) -> int:
        """Pictures with a caption that is not empty."""
        return sum(1 for image in self.image_files if image.caption)

    @cached_property
    def mean_caption_length(self) -> float:
        """Characters of a picture's caption, on average; 0 where there are no pictures."""
        return sum(len(image.caption or "") for image in self.image_files) / max(1, self.num_images)

    @cached_property
    def unread_captions(self) -> frozenset[str]:
        """Paths of the pictures whose caption file cannot be read as text, so that they are trained without one."""
        files = (problem.path for problem in self.problems if problem.code in UNREAD_CAPTIONS)
        stems = {PurePosixPath(path).with_suffix("") for path in files}
        without = (image.path for image in self.image_files if image.caption is None)
        return frozenset(path for path in without if PurePosixPath(path).with_suffix("") in stems)

    @cached_property
    def sizes(self) -> Counter[tuple[int, int, int]]:
        """How many pictures there are of each (width, height, folder index)."""
        return Counter((image.width_px, image.height_px, image.folder) for image in self.image_files)

    @cached_property
    def captions_are_tags(self) -> bool:
        """Whether most captions are comma-separated tags rather than sentences: tags are short."""
        captions = [READER.read(image.caption) for image in self.image_files if image.caption]
        tags = [tag for caption in captions for tag in caption.split(SEPARATOR) if tag.strip()]
        if len(tags) < 2 * len(captions) or not tags:
            return False
        return sum(len(tag.split()) for tag in tags) / len(tags) <= MOST_WORDS_IN_A_TAG

    @cached_property
    def likely_trigger(self) -> str:
        """The word that most captions begin with, where people put the trigger; empty if there is none, or where it is
        one of COMMON_FIRST_TAGS.
        """
        captions = (READER.read(image.caption) for image in self.image_files if image.caption)
        first = Counter(caption.split(SEPARATOR)[0].strip() for caption in captions)
        tag, count = max(first.items(), key=lambda item: item[1], default=("", 0))
        is_one = count > SHARE_OF_A_TRIGGER * self.num_images and len(tag.split()) == 1
        return tag if is_one and tag not in COMMON_FIRST_TAGS else ""

    def path_of(self, image: ImageFile) -> str:
        """A picture's absolute path with forward slashes, by which manifest and edits name it."""
        return (Path(self.root) / image.path).as_posix()

    def with_images(self, images: tuple[ImageFile, ...]) -> DatasetReport:
        """The report of these of its images, changed or not; folders keep their places, even without images."""
        left = Counter(image.folder for image in images)
        folders = tuple(replace(folder, num_images=left[index]) for index, folder in enumerate(self.folders))
        return replace(self, image_files=images, folders=folders)

    def without(self, paths: frozenset[str]) -> DatasetReport:
        """The report without the images of these absolute paths."""
        kept = tuple(image for image in self.image_files if str(Path(self.root) / image.path) not in paths)
        return self if len(kept) == self.num_images else self.with_images(kept)

    def read_by(self, reader: CaptionReader) -> DatasetReport:
        """The report with each caption as it is trained."""
        images = (
            image if image.caption is None else replace(image, caption=reader.read(image.caption))
            for image in self.image_files
        )
        return replace(self, image_files=tuple(images))

    def num_with_trigger(self, trigger: str, reader: CaptionReader | None = None) -> int:
        """Pictures with a caption that holds the trigger word, whatever its case, in each form that is trained.

        Args:
            reader: how captions are read; None: as a plan reads them by itself.
        """
        reader = reader or READER
        captions = (reader.captions(image.caption) for image in self.image_files if image.caption)
        return sum(1 for forms in captions if all(has_word(form, trigger) for form in forms))


READER = CaptionReader()
"""How a plan reads captions where the user does not choose."""

MOST_WORDS_IN_A_TAG = 3.0
"""Booru tags average under two words; parts of sentences between commas four and more."""

COMMON_FIRST_TAGS = ("1girl", "1boy", "1other", "solo", "masterpiece", "girl", "boy", "woman", "man")
"""Tags that taggers put first in every caption, so no trigger word."""

SHARE_OF_A_TRIGGER = 0.6
"""A tag in front of more captions than this share is taken for the trigger word."""
