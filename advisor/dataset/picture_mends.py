"""What of the doctor's findings is mended by an edit of pictures, without a change to any file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
from advisor.dataset.doctor.tag_checks import misspelt_tags
from advisor.dataset.edits import PictureEdit
from advisor.units import counted, named

CANNOT_BE_DECODED = ("unreadable", "truncated")
TRIGGER = ("trigger_missing", "trigger_not_first", "trigger_inside_word")
SAME_BYTES, TWICE, TYPO, STYLE = "duplicate", "tag_duplicate", "tag_typo", "tag_style"
BRACKETS = "tag_brackets"


@dataclass(frozen=True)
class Mend:
    """Edits that take a finding away."""

    codes: tuple[str, ...]
    """Of the findings that it is for."""
    title: str
    """What it does, for a menu."""
    what: str
    """The same, for the history of a run."""
    edits: tuple[PictureEdit, ...]


def mends(facts: FolderFacts, findings: Sequence[Finding], captions: CaptionSet) -> tuple[Mend, ...]:
    """The mends of these findings, in their order; none of waived ones.

    Args:
        facts: of the pictures as the edits before leave them.
        captions: of the same.
    """
    told = [finding for finding in findings if not finding.waived]
    codes = {finding.code for finding in told}
    found = [*_left_out(facts, told), *_captions(facts, codes, captions)]
    return tuple(mend for mend in found if mend.edits)


def _left_out(facts: FolderFacts, findings: Sequence[Finding]) -> Iterator[Mend]:
    images = {image.path: image for image in facts.report.image_files}
    broken = [path for finding in findings if finding.code in CANNOT_BE_DECODED for path in finding.files]
    yield _leave_out(facts, CANNOT_BE_DECODED, {path: "it cannot be decoded" for path in broken if path in images})
    copies = dict[str, str]()
    for finding in findings:
        if finding.code == SAME_BYTES:
            first = next((path for path in finding.files if images[path].caption), finding.files[0])
            copies |= {path: f"the same picture as {first}" for path in finding.files if path != first}
    yield _leave_out(facts, (SAME_BYTES,), copies)


def _leave_out(facts: FolderFacts, codes: tuple[str, ...], reasons: dict[str, str]) -> Mend:
    images = (image for image in facts.report.image_files if image.path in reasons)
    edits = tuple(PictureEdit(facts.report.path_of(image), excluded=reasons[image.path]) for image in images)
    number = f"{len(edits):,} {'copy' if len(edits) == 1 else 'copies'}"
    if codes == CANNOT_BE_DECODED:
        number = f"{counted(len(edits), 'picture')} that cannot be decoded"
    return Mend(codes, f"Leave out {number} ({named(reasons)})", f"leave out {', '.join(reasons)}", edits)


def _captions(facts: FolderFacts, codes: set[str], captions: CaptionSet) -> Iterator[Mend]:
    if codes & set(TRIGGER):
        word = facts.known_trigger
        edit = putting_first(word, trigger=word)
        yield _edit(TRIGGER, f'Put "{word}" in front of all captions', edit, captions)
    if TYPO in codes:
        for one in misspelt_tags(facts):
            yield _edit((TYPO,), f'Write "{one.meant}" for "{one.tag}"', renaming(one.tag, one.meant), captions)
    if TWICE in codes:
        yield _edit((TWICE,), "Keep tags once that stand twice in a caption", DEDUPE, captions)
    if STYLE in codes:
        blanks = _edit((STYLE,), "Write blanks for underscores in tags, as most models want it", BLANKS, captions)
        one_way = _edit((STYLE,), "Write each tag in one way, as most captions have it", unifying(captions), captions)
        yield blanks if blanks.edits else one_way
    if BRACKETS in codes:
        yield _edit((BRACKETS,), "Write plain brackets for escaped ones", UNESCAPE, captions)


def _edit(codes: tuple[str, ...], title: str, edit: NamedEdit, captions: CaptionSet) -> Mend:
    changes = edit.changes(captions, captions.report.image_files)
    told = f"{title} ({counted(len(changes), 'caption')})"
    return Mend(codes, told, " ".join(edit.words), captions.picture_edits(changes))
