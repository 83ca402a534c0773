"""Files: what cannot be read, and what is read otherwise than it looks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath

from advisor.dataset.doctor.finding import Finding, Severity
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.units import counted

OF_PROBLEMS: dict[str, tuple[str, Severity]] = {
    "unreadable_picture": ("unreadable", "error"),
    "empty_picture": ("unreadable", "error"),
    "huge_picture": ("unreadable", "error"),
    "unsupported_picture": ("unsupported_format", "warning"),
    "too_small": ("too_small", "error"),
    "name_encoding": ("name_encoding", "error"),
    "caption_encoding": ("caption_encoding", "error"),
    "unreadable_caption": ("caption_unreadable", "error"),
    "long_caption": ("caption_unreadable", "error"),
    "caption_name": ("caption_orphaned", "warning"),
    "mixed_caption_extensions": ("caption_extension", "warning"),
    "duplicate_name": ("duplicate_name", "warning"),
    "unreadable_folder": ("unreadable_folder", "error"),
    "missing_folder": ("missing_folder", "error"),
    "left_out_folder": ("left_out_folder", "note"),
    "lone_mask": ("lone_mask", "warning"),
    "zero_repeats": ("zero_repeats", "warning"),
    "crop_outside": ("crop_outside", "warning"),
    "strange_repeats": ("strange_repeats", "note"),
}
"""The findings that a scan's problems are; an empty caption is a check of its own."""

UNUSED = ("unreadable", "unsupported_format")
"""Findings of files that are no pictures to us: there is nothing that could be left out."""
LEAVE_OUT = ", or leave it out"
EXTENSIONS = {
    "JPEG": (".jpg", ".jpeg"), "PNG": (".png",), "WEBP": (".webp",), "BMP": (".bmp",), "AVIF": (".avif",),
}  # fmt: skip


def problems(facts: FolderFacts) -> Iterator[Finding]:
    """What the scan could not use, as findings: files of which the same is said in one."""
    alike = defaultdict[tuple[str, str], dict[str, str]](dict)
    for problem in facts.report.problems:
        if problem.code in OF_PROBLEMS:
            what, _, hint = problem.message.partition(": ")
            alike[problem.code, what][problem.path] = hint or "look at it"
    for (code, what), hints in alike.items():
        found, severity = OF_PROBLEMS[code]
        path, hint = next(iter(hints.items()))
        if found in UNUSED and hint.endswith(LEAVE_OUT):
            hint = f"{hint.removesuffix(LEAVE_OUT)}; as it is, it is not trained, and nothing needs to be done"
        if len(set(hints.values())) > 1:
            hint = f"{path}: {hint}; so the others"
        yield Finding(found, severity, tuple(hints), what, hint)


def undecodable(facts: FolderFacts) -> Iterator[Finding]:
    """Pictures whose header is good and whose pixels are not."""
    for kind, code, what in (
        ("truncated", "truncated", "the end of the file is missing"),
        ("broken", "unreadable", "the picture cannot be decoded"),
        ("gave up", "unreadable", "decoding was given up: it took too long, too much memory, or crashed the decoder"),
    ):
        found = {path: one.why for path, one in facts.of_images.items() if one.decoding == kind}
        if found:
            why = next((why for why in found.values() if why), "")
            told = f"{what} ({why})" if why and kind != "truncated" else what
            yield Finding(code, "error", tuple(found), told, "copy or download it again, or leave it out")


def wrong_extension(facts: FolderFacts) -> Iterator[Finding]:
    """Names that say another format than the content is."""
    found = defaultdict[str, list[str]](list)
    for path, one in facts.usable.items():
        if PurePosixPath(path).suffix.lower() not in EXTENSIONS.get(one.format, (PurePosixPath(path).suffix.lower(),)):
            found[one.format].append(path)
    for kind, files in found.items():
        message = f"{counted(len(files), 'picture')} of another format than the name says: the content is {kind}"
        hint = f"rename to {EXTENSIONS[kind][0]}; it is read all the same here, other programs may refuse it"
        yield Finding("wrong_extension", "note", tuple(files), message, hint)


def animated(facts: FolderFacts) -> Iterator[Finding]:
    """Files of several frames."""
    files = tuple(image.path for image in facts.report.image_files if image.animated)
    if files:
        message = f"{counted(len(files), 'picture')} animated, of which only the first frame is trained"
        yield Finding("animated", "warning", files, message, "save the frame that you want as .png, or leave it out")


def transparent(facts: FolderFacts) -> Iterator[Finding]:
    """Pictures that are transparent somewhere."""
    files = tuple(image.path for image in facts.report.image_files if image.transparent)
    if files:
        message = f"{counted(len(files), 'picture')} transparent in places, which is trained as white"
        yield Finding(
            "transparent",
            "warning",
            files,
            message,
            "put a background behind it, or set dataset.masks, which leaves it out",
        )


def unusual_colours(facts: FolderFacts) -> Iterator[Finding]:
    """Colours that are brought into RGB of 8 bits on the way."""
    deep = tuple(path for path, one in facts.usable.items() if one.is_deep)
    if deep:
        message = f"{counted(len(deep), 'picture')} of 16 bits for each colour, trained in 8"
        yield Finding(
            "sixteen_bit", "note", deep, message, "nothing needs to be done; save as 8 bits to make it smaller"
        )
    cmyk = tuple(path for path, one in facts.usable.items() if one.mode == "CMYK")
    if cmyk:
        message = f"{counted(len(cmyk), 'picture')} in the colours of print (CMYK), converted without a profile"
        yield Finding("cmyk", "warning", cmyk, message, "save in RGB if the colours look wrong on the page of --html")
    other = {path: one.profile for path, one in facts.usable.items() if one.profile and one.mode != "CMYK"}
    if other:
        names = ", ".join(sorted(set(other.values()))[:3])
        message = (
            f"{counted(len(other), 'picture')} with another colour profile than sRGB ({names}), which is not applied"
        )
        yield Finding("colour_profile", "note", tuple(other), message, "convert to sRGB, or colours come out paler")


def turned(facts: FolderFacts) -> Iterator[Finding]:
    """Pictures that a camera's mark turns upright."""
    files = tuple(path for path, one in facts.usable.items() if one.is_turned)
    if files:
        message = f"{counted(len(files), 'picture')} lying on a side in the file, turned upright by the camera's mark"
        hint = "nothing needs to be done here; programs that do not heed the mark see it lying"
        yield Finding("turned", "note", files, message, hint)


CHECKS = (problems, undecodable, wrong_extension, animated, transparent, turned, unusual_colours)
