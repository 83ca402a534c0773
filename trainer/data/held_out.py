"""Which images are held out to measure the validation loss on.

Images that show the same lie on one side: measured on a copy of what is trained, the loss falls while that is learned
by heart. The split is kept in the run, so that resuming goes on with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

from advisor.dataset.buckets import num_held_out
from advisor.dataset.near_duplicates.fingerprint import Fingerprint, fingerprint
from advisor.dataset.near_duplicates.match import groups, matches
from advisor.dataset.pixels import in_rgb
from advisor.errors import ConfigError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.held_out import HeldOut
from advisor.settings.config import TrainingConfig
from trainer.data.image_files import content_digest, upright
from trainer.runtime.events import Events, ReportProgress

MUCH_MORE = 2
"""So many times as many images as asked for may be held out before it is told."""

Contents = Mapping[Path, str]
"""The sha256 of each image file."""
Groups = Sequence[Sequence[str]]
"""The contents of images that show the same, each in one group."""


def held_out_images(
    paths: Sequence[Path],
    config: TrainingConfig,
    run: Path,
    events: Events,
    *,
    progress: Callable[[str], ReportProgress],
    known: Mapping[str, str] | None = None,
) -> frozenset[Path]:
    """The images that are held out: those of the run's record, or where it has none yet the ones that are now chosen.

    Args:
        paths: the images of the subject.
        progress: by phase; may raise to break off.
        known: the sha256 of files by path with forward slashes; others are read.

    Raises:
        ConfigError: all images show the same.
        DatasetError: one cannot be read.
        RunError: the record cannot be written.
    """
    share, seed = config.validation.share, config.run.seed
    if share in (0, 1):
        return frozenset()
    folder = RunFolder(run)
    known = known or {}
    contents = {path: known.get(path.as_posix()) or content_digest(path) for path in paths}
    record, has_begun = folder.read_held_out(), folder.has_state()
    if has_begun and record is not None and _is_of(record, contents, seed, share):
        out = frozenset(record.held_out)
    elif has_begun and record is None:  # begun by a version that held out by contents alone and kept no record
        out = by_contents(contents, share, seed=seed)
    else:
        found = _groups_shown(contents, config.machine.cpu_threads, events, progress("compare_images"))
        out = by_groups(found, share, seed=seed)
        _warn_of_many(out, contents, share, events)
    trained = sorted(set(contents.values()) - out)
    folder.write_held_out(HeldOut(seed=seed, share=share, held_out=tuple(sorted(out)), trained=tuple(trained)))
    return frozenset(path for path in paths if contents[path] in out)


def by_groups(found: Groups, share: float, *, seed: int) -> frozenset[str]:
    """The contents of about this share of the images, whole groups, one at least and never all.

    Contents and seed decide: groups are taken in the order of a hash where they still fit; if none does, the smallest.

    Raises:
        ConfigError: there is one group only.
    """
    if len(found) < 2:
        raise _nothing_to_hold_out(share)
    wanted = num_held_out(sum(map(len, found)), share)
    ranked = sorted(found, key=lambda group: min(_rank(content, seed) for content in group))
    out = list[str]()
    for group in ranked[:-1]:
        if len(out) + len(group) <= wanted:
            out += group
    if out:
        return frozenset(out)
    fewest = min(map(len, ranked))
    return frozenset(next(group for group in ranked if len(group) == fewest))


def by_contents(contents: Contents, share: float, *, seed: int) -> frozenset[str]:
    """The contents that versions before the record held out: those are resumed with the same.

    Raises:
        ConfigError: all images have the same content.
    """
    wanted = num_held_out(len(contents), share)
    ranked = sorted(set(contents.values()), key=lambda content: _rank(content, seed))
    if len(ranked) == 1:
        raise _nothing_to_hold_out(share)
    files, out = Counter(contents.values()), list[str]()
    for content in ranked[:-1]:
        if sum(files[one] for one in out) >= wanted:
            break
        out.append(content)
    return frozenset(out)


def _groups_shown(contents: Contents, threads: int, events: Events, progress: ReportProgress) -> Groups:
    """The contents in groups that show the same; each as often as there are files of it."""
    paths = list(contents)
    events.phase("compare_images", len(paths))
    prints = list[Fingerprint]()
    pool = ThreadPoolExecutor(threads)
    try:
        for done, one in enumerate(pool.map(_fingerprint, paths), start=1):
            prints.append(one)
            progress(done, len(paths))
    finally:
        pool.shutdown(cancel_futures=True)
    first = {content: place for place, content in reversed(list(enumerate(contents.values())))}
    copies = [(first[content], place) for place, content in enumerate(contents.values())]
    alike = [(match.first, match.second) for match in matches(prints)]
    return [[contents[paths[place]] for place in group] for group in groups(len(paths), [*copies, *alike])]


def _fingerprint(path: Path) -> Fingerprint:
    return fingerprint(in_rgb(upright(path)))


def _is_of(record: HeldOut, contents: Contents, seed: int, share: float) -> bool:
    """Whether the record was made for these images, or more, and leaves some on both sides."""
    now = set(contents.values())
    is_known = now <= {*record.held_out, *record.trained}
    return (
        is_known
        and bool(now & {*record.held_out})
        and bool(now & {*record.trained})
        and (record.seed == seed and record.share == share)
    )


def _rank(content: str, seed: int) -> bytes:
    return sha256(f"{seed}/{content}".encode()).digest()


def _warn_of_many(out: frozenset[str], contents: Contents, share: float, events: Events) -> None:
    wanted, number = num_held_out(len(contents), share), sum(1 for content in contents.values() if content in out)
    if number > MUCH_MORE * wanted:
        message = (
            f"{number} of {len(contents)} pictures are held out instead of {wanted}, since they show the same and a "
            "picture that is measured must not be trained in a copy: leave all but one of them out"
        )
        events.warning("many_held_out", message)


def _nothing_to_hold_out(share: float) -> ConfigError:
    mend = "all pictures show the same, and one is needed to learn from; 0 measures nothing, 1 measures on it"
    return ConfigError("validation.share", share, mend)
