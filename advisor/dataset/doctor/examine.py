"""All checks on one folder, and which of their findings the user keeps as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from advisor.dataset.captions import plain_tag
from advisor.dataset.doctor import (
    caption_checks,
    duplicate_checks,
    file_checks,
    pixel_checks,
    set_checks,
    size_checks,
    tag_checks,
)
from advisor.dataset.doctor.finding import SEVERITIES, Finding
from advisor.dataset.doctor.folder_facts import FolderFacts

Check = Callable[[FolderFacts], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    *file_checks.CHECKS,
    *size_checks.CHECKS,
    *duplicate_checks.CHECKS,
    *pixel_checks.CHECKS,
    *caption_checks.CHECKS,
    *tag_checks.CHECKS,
    *set_checks.CHECKS,
)
"""In the order in which findings of one severity are told."""


@dataclass(frozen=True)
class Waiver:
    """A finding that the user has looked at and keeps."""

    code: str
    file: str
    """The file that it is waived for, of `tag_fused` the tag; empty: for all."""
    reason: str


def examine(facts: FolderFacts, waivers: Sequence[Waiver] = ()) -> tuple[Finding, ...]:
    """What all checks find, errors first; what is waived is marked so."""
    meant = frozenset(plain_tag(one.file) for one in waivers if one.code == "tag_fused" and one.file)
    facts = replace(facts, meant_to_fuse=facts.meant_to_fuse | meant)
    found = [part for check in CHECKS for finding in check(facts) for part in waived(finding, waivers)]
    return tuple(sorted(found, key=lambda one: (one.waived, SEVERITIES.index(one.severity))))


def waived(finding: Finding, waivers: Iterable[Waiver]) -> Iterator[Finding]:
    """The finding, split into the files that it is waived for and the others."""
    ours = [waiver for waiver in waivers if waiver.code == finding.code]
    if any(not waiver.file for waiver in ours):
        yield replace(finding, waived=True)
        return
    kept = {waiver.file for waiver in ours}
    inside = tuple(path for path in finding.files if path in kept)
    if not inside:
        yield finding
        return
    yield replace(finding, files=inside, waived=True)
    outside = tuple(path for path in finding.files if path not in kept)
    if outside:
        yield replace(finding, files=outside, message=f"{finding.message}; {len(inside)} of them waived")
