"""The set as a whole: too few pictures, too much of the same, folders that outweigh others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from advisor.dataset.buckets import repeats_of_folders
from advisor.dataset.captions import plain_tag
from advisor.dataset.doctor.finding import Finding
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.doctor.tag_checks import LEAST_FOR_SHARES
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
UNBALANCED = 4.0
"""Times as often is a picture of one folder shown as one of another."""


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


def repeats_unbalanced(facts: FolderFacts) -> Iterator[Finding]:
    """Folders of which one outweighs the others by its repeats alone."""
    repeats = repeats_of_folders(facts.report.folders, facts.dataset)
    own = [
        repeats[index] if folder.repeats is None else folder.repeats
        for index, folder in enumerate(facts.report.folders)
    ]
    shown = {folder.path: often for folder, often in zip(facts.report.folders, own, strict=True) if often}
    if len(shown) > 1 and max(shown.values()) > UNBALANCED * min(shown.values()):
        told = named(f"{path}: {often}" for path, often in shown.items())
        times = max(shown.values()) / min(shown.values())
        message = f"a picture of one folder is shown {times:.0f} times as often as one of another ({told})"
        yield Finding(
            "repeats_unbalanced",
            "warning",
            (),
            message,
            "give folders the repeats that make them equal, in their names",
        )


CHECKS = (few_pictures, little_variety, repeats_unbalanced)
