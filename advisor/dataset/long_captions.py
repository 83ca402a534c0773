"""Captions that are longer than the text encoder reads."""

from __future__ import annotations

import re

from advisor.dataset.caption_weights import weighted_texts
from advisor.dataset.captions import CaptionReader
from advisor.dataset.clip_tokens import num_tokens
from advisor.dataset.report import DatasetReport
from advisor.settings.config import DatasetConfig

WILDCARD = re.compile(r"\{([^{}]+)\}")
"""{one|other}, of which one is taken."""


def long_captions(report: DatasetReport, dataset: DatasetConfig, trigger: str, *, most: int) -> dict[str, int]:
    """Tokens of the pictures whose caption, as it is trained, has more than `most`: of its longest line where one of
    several is drawn, with the longest word of each {one|other}, without what weights are written with.
    """
    reader, has_wildcards, found = CaptionReader.of_dataset(dataset, trigger), dataset.wildcards, dict[str, int]()
    for image in report.image_files:
        captions = reader.captions(image.caption) if image.caption else ()
        if has_wildcards:
            captions = tuple(WILDCARD.sub(_longest, caption) for caption in captions)
        long = (caption for caption in captions if _may_exceed(caption, most))
        number = max((_num_tokens(caption, weighted=dataset.weighted_captions) for caption in long), default=0)
        if number > most:
            found[image.path] = number
    return found


def _num_tokens(caption: str, *, weighted: bool) -> int:
    """As the trainer counts them: of a weighted caption piece by piece."""
    return sum(num_tokens(part.text) for part in weighted_texts(caption)) if weighted else num_tokens(caption)


def _may_exceed(caption: str, most: int) -> bool:
    """A token has one byte at least; normalising and lower-casing can make three bytes of one."""
    return len(caption.encode("utf-8", "replace")) > (most if caption.isascii() else most // 3)


def _longest(choice: re.Match[str]) -> str:
    return max(choice[1].split("|"), key=len)
