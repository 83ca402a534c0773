"""The data set in short: how many images, their sizes, their captions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from advisor.dataset.captions import SEPARATOR, lines_of
from advisor.run_folder.pictures.manifest import EXCLUDED, ManifestLine
from advisor.run_folder.plan_outline import Images
from advisor.units import counted

MOST_TAGS, MOST_BUCKETS = 24, 12
LONGEST_TAG = 60
"""Letters; what is longer is a sentence and no tag."""


@dataclass(frozen=True)
class Bar:
    """A name with how often it is there."""

    name: str
    number: int
    percent: float
    """Of the most frequent one."""
    is_trigger: bool = False


@dataclass(frozen=True)
class DataSetView:
    """What the page tells of the images."""

    facts: tuple[tuple[str, str], ...]
    buckets: tuple[Bar, ...]
    more_buckets: int
    tags: tuple[Bar, ...]
    more_tags: int


def data_set_view(images: Images | None, lines: Sequence[ManifestLine], trigger: str) -> DataSetView | None:
    """What is known of the images: by the plan, and where the run was trained by its list of them."""
    trained = [line for line in lines if line.use == "training"]
    if images is None and not trained:
        return None
    found = images or Images(num_images=len(trained), captions_are_tags=True)
    sizes = Counter({f"{one.width_px} \u00d7 {one.height_px}": one.exposures for one in found.buckets})
    if trained:
        sizes = Counter()
        for line in trained:
            sizes["{} \u00d7 {}".format(*line.bucket)] += max(1, line.repeats)
    tags = tag_counts(line.caption or "" for line in trained) if found.captions_are_tags else Counter[str]()
    folded = trigger.strip().casefold()
    return DataSetView(
        _facts(found, lines, trigger), _bars(sizes, MOST_BUCKETS), max(0, len(sizes) - MOST_BUCKETS),
        _bars(tags, MOST_TAGS, folded), max(0, len(tags) - MOST_TAGS),
    )  # fmt: skip


def _facts(images: Images, lines: Sequence[ManifestLine], trigger: str) -> tuple[tuple[str, str], ...]:
    others = Counter(line.use for line in lines)
    captions = f"{images.num_captioned:,} of {images.num_images:,}"
    if images.num_captioned:
        captions += ", as tags" if images.captions_are_tags else ", as sentences"
    rows = [("pictures", f"{images.num_images:,}"), ("with a caption", captions)]
    rows += [("with the trigger", f"{images.num_with_trigger:,}")] if trigger else []
    rows += [("held out", f"{others['validation']:,}")] if others["validation"] else []
    rows += [("left out by you", f"{others[EXCLUDED]:,}")] if others[EXCLUDED] else []
    rows += [("of the class beside them", f"{others['regularization']:,}")] if others["regularization"] else []
    rows += [("problems", counted(images.num_problems, "file"))] if images.num_problems else []
    return (*rows, ("folder", images.root)) if images.root else tuple(rows)


def tag_counts(captions: Iterable[str]) -> Counter[str]:
    """In how many captions each tag is."""
    found = Counter[str]()
    for caption in captions:
        tags = {tag.strip() for line in lines_of(caption) for tag in line.split(SEPARATOR)}
        found.update(tag for tag in tags if tag and len(tag) <= LONGEST_TAG)
    return found


def _bars(found: Counter[str], most: int, trigger: str = "") -> tuple[Bar, ...]:
    ranked = sorted(found.items(), key=lambda one: (-one[1], one[0]))[:most]
    highest = ranked[0][1] if ranked and ranked[0][1] > 0 else 1
    return tuple(Bar(name, times, 100 * times / highest, name.casefold() == trigger) for name, times in ranked)
