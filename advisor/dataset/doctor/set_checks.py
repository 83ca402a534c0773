"""The set as a whole: too few pictures, too much of the same, folders that outweigh others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from advisor.dataset.buckets import half_up, repeats_of_folders
from advisor.dataset.captions import plain_tag
from advisor.dataset.doctor.finding import Finding, Severity
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.doctor.tag_checks import LEAST_FOR_SHARES
from advisor.dataset.near_duplicates.fingerprint import SIDE, Fingerprint
from advisor.dataset.near_duplicates.match import groups
from advisor.dataset.placed import TOO_FEW_IMAGES
from advisor.units import counted, named

SAME_SHARE = 0.9
"""Of the captions that say anything of it."""
LEAST_SAYING = 0.5
"""Of the captions; where fewer say how the subject is shown, they tell nothing."""
FRAMINGS = ("close-up", "face", "portrait", "upper body", "bust", "cowboy shot", "full body", "wide shot", "lower body")
BACKGROUNDS = (
    "simple background", "white background", "grey background", "gray background", "black background",
    "transparent background", "plain background", "gradient background", "blurry background", "outdoors", "indoors",
)  # fmt: skip
VIEWS = (
    "from side",
    "from behind",
    "from above",
    "from below",
    "profile",
    "looking at viewer",
    "looking away",
    "looking back",
)
PLAIN_RIM, SAME_RIM = 7.0, 20.0
"""Of 255: deviation within a plain rim, and between the colours of two that are alike."""
RIM = 2
"""Cells of the small copy."""
UNBALANCED = 4.0
"""Times as often is one folder shown as another in an epoch."""
MOST_BALANCED = 20
"""Repeats; a picture that is shown more often is learned by heart."""


def few_pictures(facts: FolderFacts) -> Iterator[Finding]:
    """Fewer pictures than poses and backgrounds can be told apart with."""
    number = len(facts.distinct) or facts.report.num_images
    if number < TOO_FEW_IMAGES:
        message = f"only {counted(number, 'picture')}: poses and backgrounds may be learned too"
        yield Finding("few_pictures", "warning", (), message, "20 to 50 are better, of different poses and places")


def little_variety(facts: FolderFacts) -> Iterator[Finding]:
    """Most pictures are copies, or all are framed, lit or seen alike."""
    number = len(facts.distinct)
    shown = groups(number, [(match.first, match.second) for match in facts.matches])
    if number >= TOO_FEW_IMAGES and len(shown) <= number / 2:
        message = f"{number} pictures show {counted(len(shown), 'thing')}: most are copies of others"
        yield Finding("little_variety", "warning", (), message, "add pictures of other poses, places and distances")
    tags = {path: set(map(plain_tag, tags)) for path, tags in facts.tags.items()}
    if len(tags) < LEAST_FOR_SHARES:
        return
    for words, what in ((FRAMINGS, "how it is framed"), (BACKGROUNDS, "what is behind it"), (VIEWS, "how it is seen")):
        counts = Counter(word for found in tags.values() for word in words if word in found)
        saying = sum(1 for found in tags.values() if found & set(words))
        word, most = max(counts.items(), key=lambda one: one[1], default=("", 0))
        if saying >= LEAST_SAYING * len(tags) and most >= SAME_SHARE * saying:
            message = f"{most} of the {saying} captions that say {what} have {word!r}"
            hint = "add others, or that is learned with the character"
            yield Finding("little_variety", "note", (), message, hint)


def same_ground(facts: FolderFacts) -> Iterator[Finding]:
    """Most pictures have the same plain ground, and no caption says so."""
    number = len(facts.distinct)
    if number < TOO_FEW_IMAGES:
        return
    rims = np.stack([_rim(facts.usable[path].fingerprint) for path in facts.distinct])
    is_plain = rims.std(axis=1).max(axis=1) <= PLAIN_RIM
    colours = rims.mean(axis=1)
    typical = np.median(colours[is_plain], axis=0) if is_plain.any() else np.zeros(3)
    alike = is_plain & (np.abs(colours - typical).max(axis=1) <= SAME_RIM)
    named = sum(1 for tags in facts.tags.values() if set(map(plain_tag, tags)) & set(BACKGROUNDS))
    if int(alike.sum()) >= SAME_SHARE * number and named < SAME_SHARE * number:
        colour = "#{:02x}{:02x}{:02x}".format(*(int(one) for one in typical))
        message = f"{int(alike.sum())} of {number} pictures have the same plain ground ({colour})"
        hint = "add others, or name it in each caption (white background): what never changes is learned"
        yield Finding("same_ground", "note", (), message, hint)


def _rim(copy: Fingerprint) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The cells along the sides and above, [cells, 3]; below stands the figure."""
    cells = np.frombuffer(copy.cells, np.uint8).reshape(SIDE, SIDE, 3)
    parts = cells[:RIM], cells[RIM : SIDE // 2, :RIM], cells[RIM : SIDE // 2, -RIM:]
    return np.concatenate([part.reshape(-1, 3) for part in parts]).astype(np.float32)


def repeats_unbalanced(facts: FolderFacts) -> Iterator[Finding]:
    """Folders with repeats of which one is shown far more often than another, picture by picture and as a whole."""
    repeats = repeats_of_folders(facts.report.folders, facts.dataset)
    often = dict[str, tuple[int, int]]()
    for index, folder in enumerate(facts.report.folders):
        named_repeats = repeats[index] if folder.path in _named(facts) else folder.repeats
        if named_repeats and folder.num_images:
            often[folder.path] = folder.num_images, named_repeats
    shown = {path: number * times for path, (number, times) in often.items()}
    if len(shown) < 2 or max(shown.values()) <= UNBALANCED * min(shown.values()):
        return
    told = named(f"{path}: {number} x {times}" for path, (number, times) in often.items())
    most, least = max(shown, key=lambda path: shown[path]), min(shown, key=lambda path: shown[path])
    message = f"{most} is shown {shown[most] / shown[least]:.0f} times as often as {least} in an epoch ({told})"
    better = balanced_repeats({path: number for path, (number, _) in often.items()})
    names = named((f"{path}: {times}" for path, times in better.items()), len(better))
    if better == {path: times for path, (_, times) in often.items()}:
        return
    severity: Severity = "note" if len({times for _, times in often.values()}) == 1 else "warning"
    hint = f"where both shall count alike, these repeats make them equal: {names}"
    yield Finding("repeats_unbalanced", severity, (), message, hint)


def _named(facts: FolderFacts) -> frozenset[str]:
    return frozenset(folder.path for folder in facts.dataset.folders)


def balanced_repeats(numbers: Mapping[str, int]) -> dict[str, int]:
    """Repeats with which folders of so many pictures are shown about equally often; of the largest 1.

    Args:
        numbers: pictures by folder, each 1 or more.
    """
    most = max(numbers.values())
    return {path: min(MOST_BALANCED, half_up(most / number)) for path, number in numbers.items()}


CHECKS = (few_pictures, little_variety, same_ground, repeats_unbalanced)
