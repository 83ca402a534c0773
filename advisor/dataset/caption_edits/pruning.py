"""Tags that are worth taking out of a character's captions."""

from __future__ import annotations

from advisor.dataset.caption_edits.caption_set import CaptionSet
from advisor.dataset.caption_edits.named_edits import NamedEdit, removing
from advisor.dataset.doctor.tag_checks import FUSED_SHARE, LEAST_FOR_SHARES, fused_tags
from advisor.errors import DatasetError
from advisor.units import counted

BOTH_SCHOOLS = (
    "What is removed becomes part of the trigger, such as the hair and eyes of a character, which then always has "
    "them; what stays in the captions can be changed by a prompt."
)


def prunable_tags(captions: CaptionSet, share: float = FUSED_SHARE) -> dict[str, int]:
    """The tags in at least this share of the captions, with their numbers; no trigger, and nothing like `1girl`."""
    report = captions.report
    if not report.captions_are_tags:
        return {}
    return fused_tags(
        captions.tags, report.num_captioned, trigger=captions.trigger or report.likely_trigger, share=share
    )


def pruning(captions: CaptionSet, share: float = FUSED_SHARE) -> NamedEdit:
    """Removes these tags.

    Raises:
        DatasetError: there are none, or no share of these captions means anything.
    """
    report = captions.report
    if not report.captions_are_tags:
        raise DatasetError(
            "these captions are sentences, of which no tag is worth pruning by itself: name what to take out"
        )
    if report.num_captioned < LEAST_FOR_SHARES:
        found = counted(report.num_captioned, "caption")
        raise DatasetError(f"of {found} no share means much ({LEAST_FOR_SHARES} are needed): name the tags to take out")
    tags = prunable_tags(captions, share)
    if not tags:
        raise DatasetError(f"no tag but the trigger is in {share:.0%} of the captions: there is nothing to prune")
    return removing(tuple(tags), word="prune")
