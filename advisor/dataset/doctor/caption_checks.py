"""Captions: missing, empty, orphaned, of several lines, too long."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.dataset.captions import lines_of
from advisor.dataset.doctor.finding import Finding
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.long_captions import long_captions
from advisor.settings.config import TOKEN_LIMITS
from advisor.units import counted, named


def missing(facts: FolderFacts) -> Iterator[Finding]:
    """Pictures without a caption file: all of them, or some."""
    unread = facts.report.unread_captions  # each is told by itself
    files = tuple(
        image.path for image in facts.report.image_files if image.caption is None and image.path not in unread
    )
    if files and not facts.report.num_captioned:
        message = "no picture has a caption: each is trained on the trigger word alone, clothes and backgrounds with it"
        hint = "write into captions what shall stay changeable, in a .txt beside each picture"
        yield Finding("no_captions", "warning", files, message, hint)
    elif files:
        message = f"{counted(len(files), 'picture')} of {facts.report.num_images:,} without a caption ({named(files)})"
        hint = "write what they show; as they are, each is trained on the trigger word alone"
        yield Finding("caption_missing", "warning", files, message, hint)


def empty(facts: FolderFacts) -> Iterator[Finding]:
    """Caption files that say nothing."""
    files = tuple(image.path for image in facts.report.image_files if image.caption == "")
    if files:
        message = f"{counted(len(files), 'caption')} empty ({named(files)})"
        yield Finding("caption_empty", "warning", files, message, "write what the picture shows, or delete the file")


def orphaned(facts: FolderFacts) -> Iterator[Finding]:
    """Caption files without a picture."""
    files = facts.sources.orphans
    if files:
        message = f"{counted(len(files), 'caption')} without a picture of that name ({named(files)})"
        yield Finding("caption_orphaned", "warning", files, message, "rename to the picture's name, or move it away")


def marked(facts: FolderFacts) -> Iterator[Finding]:
    """Captions with a byte order mark."""
    files = facts.sources.marked
    if files:
        message = f"{counted(len(files), 'caption')} with a byte order mark before the text ({named(files)})"
        hint = (
            "nothing needs to be done here; other trainers take it for a letter of the first tag: save as plain UTF-8"
        )
        yield Finding("caption_bom", "note", files, message, hint)


def several_lines(facts: FolderFacts) -> Iterator[Finding]:
    """Captions of more than one line."""
    files = tuple(image.path for image in facts.report.image_files if len(lines_of(image.caption or "")) > 1)
    if files:
        message = f"{counted(len(files), 'caption')} of several lines ({named(files)}), joined by commas while training"
        hint = "write one line; dataset.caption_lines takes the first, or one at random, instead"
        yield Finding("caption_lines", "note", files, message, hint)


def too_long(facts: FolderFacts) -> Iterator[Finding]:
    """Captions of more tokens than are trained."""
    most = facts.caption_tokens or facts.dataset.max_tokens
    found = long_captions(facts.report, facts.dataset, facts.trigger, most=most)
    if found:
        shown = named(f"{path}: {number}" for path, number in found.items())
        message = f"{counted(len(found), 'caption')} longer than {most} tokens ({shown}), whose end is not trained"
        longest, hint = max(found.values()), "shorten them, the important words first"
        if most < TOKEN_LIMITS[-1]:
            enough = next((limit for limit in TOKEN_LIMITS if limit >= longest), TOKEN_LIMITS[-1])
            hint += f"; or set dataset.max_tokens to {enough}"
        yield Finding("caption_too_long", "warning", tuple(found), message, hint)


CHECKS = (missing, empty, orphaned, marked, several_lines, too_long)
