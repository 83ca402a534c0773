"""What of the doctor's findings is mended by an edit of pictures, without a change to any file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from advisor.dataset.caption_edits.caption_set import CaptionSet
from advisor.dataset.caption_edits.named_edits import (
    BLANKS,
    DEDUPE,
    UNESCAPE,
    NamedEdit,
    putting_first,
    renaming,
    unifying,
)
from advisor.dataset.doctor.finding import Finding
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.doctor.mends import Mend, picture_mends
from advisor.dataset.doctor.tag_checks import misspelt_tags
from advisor.units import counted

TRIGGER = ("trigger_missing", "trigger_not_first", "trigger_inside_word")
TWICE, TYPO, STYLE = "tag_duplicate", "tag_typo", "tag_style"
BRACKETS = "tag_brackets"


def mends(facts: FolderFacts, findings: Sequence[Finding], captions: CaptionSet) -> tuple[Mend, ...]:
    """The mends of these findings, in their order; none of waived ones.

    Args:
        facts: of the pictures as the edits before leave them.
        captions: of the same.
    """
    told = [finding for finding in findings if not finding.waived]
    codes = {finding.code for finding in told}
    found = [*picture_mends(facts, told), *_captions(facts, codes, captions)]
    return tuple(mend for mend in found if mend.edits)


def _captions(facts: FolderFacts, codes: set[str], captions: CaptionSet) -> Iterator[Mend]:
    if codes & set(TRIGGER):
        word = facts.known_trigger
        edit = putting_first(word, trigger=word)
        yield _edit(f'Put "{word}" in front of all captions', edit, captions)
    if TYPO in codes:
        for one in misspelt_tags(facts):
            tag, meant = (captions.spellings.get(name, name) for name in (one.tag, one.meant))
            yield _edit(f'Write "{meant}" for "{tag}"', renaming(tag, meant), captions)
    if TWICE in codes:
        yield _edit("Keep tags once that stand twice in a caption", DEDUPE, captions)
    if STYLE in codes:
        blanks = _edit("Write blanks for underscores in tags, as most models want it", BLANKS, captions)
        one_way = _edit("Write each tag in one way, as most captions have it", unifying(captions), captions)
        yield blanks if blanks.edits else one_way
    if BRACKETS in codes:
        yield _edit("Write plain brackets for escaped ones", UNESCAPE, captions)


def _edit(title: str, edit: NamedEdit, captions: CaptionSet) -> Mend:
    changes = edit.changes(captions, captions.report.image_files)
    told = f"{title} ({counted(len(changes), 'caption')})"
    return Mend(told, edit.what, captions.picture_edits(changes))
