"""Pictures that are in the folder more than once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from advisor.dataset.doctor.finding import Finding
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.near_duplicates.match import groups
from advisor.units import counted

WHOLE_SHARE = 0.97
"""Of the area; a picture that shows less of the other was cropped."""


def duplicate(facts: FolderFacts) -> Iterator[Finding]:
    """Files with the same bytes."""
    by_content = defaultdict[str, list[str]](list)
    for path, one in facts.usable.items():
        by_content[one.sha256].append(path)
    for files in by_content.values():
        if len(files) > 1:
            message = (
                f"{len(files)} files are the same picture, which is trained {len(files)} times as often as the others"
            )
            yield Finding("duplicate", "warning", tuple(files), message, "keep one; repeats make a picture count more")


def near_duplicates(facts: FolderFacts) -> Iterator[Finding]:
    """Groups that show the same: resized, encoded again, brightened or cropped."""
    alike = [match for match in facts.matches if not match.mirrored]
    for group in groups(len(facts.distinct), [(match.first, match.second) for match in alike]):
        if len(group) < 2:
            continue
        files = tuple(facts.distinct[place] for place in group)
        crops = [match for match in alike if match.first in group and match.share < WHOLE_SHARE]
        how = f", {counted(len(crops), 'pair')} of them cropped" if crops else ""
        message = f"{len(files)} pictures show the same{how}"
        hint = "keep the best of them: what is seen twice is learned twice as hard, and its flaws too"
        yield Finding("near_duplicates", "warning", files, message, hint)


def mirrored(facts: FolderFacts) -> Iterator[Finding]:
    """Pairs of which one is the other's mirror image."""
    groups_of = groups(len(facts.distinct), [(one.first, one.second) for one in facts.matches if not one.mirrored])
    group = {place: number for number, places in enumerate(groups_of) for place in places}
    for match in facts.matches:
        if match.mirrored and group[match.first] != group[match.second]:
            files = tuple(facts.distinct[place] for place in sorted((match.first, match.second)))
            hint = "keep one; dataset.flip mirrors all, for a character whose sides are alike"
            yield Finding("mirrored", "note", files, "one picture is the mirror image of the other", hint)


CHECKS = (duplicate, near_duplicates, mirrored)
