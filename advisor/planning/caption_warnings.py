"""Warnings about captions: pictures without, and what of captions is not trained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from advisor.dataset.captions import CaptionReader, has_word, lines_of
from advisor.dataset.long_captions import long_captions
from advisor.dataset.report import DatasetReport, ImageFile
from advisor.families import KNOWN_FAMILIES
from advisor.plan import PlanWarning
from advisor.settings.config import TOKEN_LIMITS, TrainingConfig
from advisor.shown_text import short
from advisor.units import counted, named

Findings = Iterator[PlanWarning]


def caption_warnings(report: DatasetReport, config: TrainingConfig) -> Findings:
    """What the user should hear of captions before a training."""
    prepended = CaptionReader.of(config).prepended
    missing = [image for image in report.image_files if image.caption is None or (prepended and not image.caption)]
    if len(missing) == report.num_images:
        yield _no_captions(report, missing, config)
        return
    if missing:
        which = f"{counted(len(missing), 'picture')} of {report.num_images:,} without a caption ({_names(missing)})"
        yield PlanWarning("missing_captions", f"{which}: {_stands_in(report, missing, config)}")
    empty = [image for image in report.image_files if image.caption == ""]
    if empty and not prepended:
        which = f"{counted(len(empty), 'caption')} empty ({_names(empty)})"
        mend = "write what the picture shows, or delete the file, and the trigger stands in"
        yield PlanWarning("empty_captions", f"{which}, so trained without a word: {mend}")
    yield from lost_lines(report, config)
    yield from _missing_trigger(report, config)
    found = long_captions(report, config.dataset, config.run.trigger, most=most_tokens(config))
    yield from cut_captions(found, config)


def most_tokens(config: TrainingConfig) -> int:
    """Tokens of a caption that are trained; what is longer loses its end."""
    known = KNOWN_FAMILIES.get(config.model.family)
    return (known.caption_tokens if known else None) or config.dataset.max_tokens


def lost_lines(report: DatasetReport, config: TrainingConfig) -> Findings:
    """Captions of several lines of which only the first is trained."""
    if config.dataset.caption_lines != "first":
        return
    several = [image for image in report.image_files if image.caption and len(lines_of(image.caption)) > 1]
    if several:
        have = f"{counted(len(several), 'caption')} of several lines ({_names(several)})"
        mend = "set dataset.caption_lines to joined or random to train the others too"
        yield PlanWarning("caption_lines_lost", f"{have}, and only the first is trained: {mend}")


def cut_captions(tokens: Mapping[str, int], config: TrainingConfig, *, is_own_count: bool = False) -> Findings:
    """Captions that lose their end.

    Args:
        tokens: of the captions that are longer than what is trained, by the picture's path.
        is_own_count: they were counted in a vocabulary that is not CLIP's, so that plan and check tell other numbers.
    """
    if not tokens:
        return
    most, longest = most_tokens(config), max(tokens.values())
    enough = next((limit for limit in TOKEN_LIMITS if limit >= longest), TOKEN_LIMITS[-1])
    mend = f"set dataset.max_tokens to {enough}, or shorten them" if enough > most else "shorten them"
    shown = named(f"{path}: {number}" for path, number in tokens.items())
    whose = " of this base model's own vocabulary" if is_own_count else ""
    which = f"{counted(len(tokens), 'caption')} longer than {most} tokens{whose} ({shown})"
    yield PlanWarning("captions_cut", f"{which}, whose end is not trained: {mend}")


def _missing_trigger(report: DatasetReport, config: TrainingConfig) -> Findings:
    trigger, reader = config.run.trigger, CaptionReader(config.dataset.caption_lines)
    without = report.num_captioned - report.num_with_trigger(trigger, reader)
    if without and config.run.subject == "character" and not config.dataset.prepend_trigger:
        finding = f"{counted(without, 'caption')} of {report.num_captioned:,} lack the trigger {trigger!r}"
        mend = "dataset.prepend_trigger=true puts it in front of them while training, or write it first in each"
        if (found := report.likely_trigger) and not has_word(found, trigger):
            mend = f"most begin with {short(found)}: if that is the word, set run.trigger to it; else {mend}"
        yield PlanWarning("missing_trigger", f"{finding}, so the LoRA will hardly answer to it: {mend}")


def _no_captions(report: DatasetReport, missing: list[ImageFile], config: TrainingConfig) -> PlanWarning:
    cost = "clothes, poses and backgrounds are learned with it and no prompt can change them"
    mend = "write into captions what shall stay changeable"
    return PlanWarning(
        "no_captions", f"no picture has a caption: {_stands_in(report, missing, config)}, so {cost}; {mend}"
    )


def _stands_in(report: DatasetReport, missing: Iterable[ImageFile], config: TrainingConfig) -> str:
    trigger = config.run.trigger
    words = dict.fromkeys(
        trigger if image.caption == "" else report.folders[image.folder].concept or trigger for image in missing
    )
    reader = CaptionReader.of(config)
    return f"each is trained on {named(repr(reader.read(word)) for word in words)} alone"


def _names(images: Iterable[ImageFile]) -> str:
    return named(image.path for image in images)
