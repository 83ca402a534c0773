"""Measuring a folder's pictures: what is known of unchanged ones is taken from the cache, the others are decoded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from advisor.dataset.doctor.pixel_facts import PixelFacts, from_text
from advisor.dataset.file_stamp import Stamp, stamp_of
from advisor.dataset.report import DatasetReport
from advisor.json_text import Malformed, parse_json
from wizard.processes.picture_cache import PictureCache
from wizard.processes.picture_workers import PictureWorkers, num_workers

BROKEN = ("truncated", "broken")
"""How pictures were decoded that a training cannot read either."""
SAVE_EVERY = 200
"""Pictures; so many at most are measured again after an interrupt."""


def measured_pictures(report: DatasetReport, tell: Callable[[int, int], None]) -> dict[str, PixelFacts]:
    """The facts of all pictures of a report, by path.

    Args:
        tell: called after each picture that is decoded, with the number done and of how many.
    """
    found, unknown = dict[str, PixelFacts](), list[tuple[str, Path, Stamp | None]]()
    with PictureCache() as cache:
        for image in report.image_files:
            path = Path(report.root) / image.path
            stamp = stamp_of(path)
            known = None if stamp is None else cache.get(path, stamp) or cache.find(path, stamp)
            if known is None:
                unknown.append((image.path, path, stamp))
            else:
                found[image.path] = known
        if unknown:
            requests: list[dict[str, Any]] = [{"path": str(path)} for _, path, _ in unknown]
            with PictureWorkers(num_workers(len(unknown))) as workers:
                for done, answer in enumerate(workers.answers(requests), start=1):
                    name, path, stamp = unknown[done - 1]
                    facts = None if answer is None else from_text(answer)
                    found[name] = facts or PixelFacts("gave up")
                    if facts is not None and stamp is not None and facts.decoding != "gave up":
                        cache.put(path, stamp, facts, answer)
                    if done % SAVE_EVERY == 0:
                        cache.save()
                    tell(done, len(unknown))
    return {image.path: found[image.path] for image in report.image_files}


def known_broken(report: DatasetReport) -> tuple[str, ...]:
    """Paths of the pictures that were found to be broken when they were measured, and are the same since; none is
    decoded here.
    """
    found = list[str]()
    with PictureCache() as cache:
        for image in report.image_files:
            path = Path(report.root) / image.path
            stamp = stamp_of(path)
            known = None if stamp is None else cache.get(path, stamp)
            if known is not None and known.decoding in BROKEN:
                found.append(image.path)
    return tuple(found)


def thumbnails(root: str, paths: list[str], side_px: int, tell: Callable[[int, int], None]) -> dict[str, str]:
    """Small JPEGs of these pictures as base64, by path; those that cannot be decoded are left out.

    Args:
        side_px: the longer side of each.
    """
    requests: list[dict[str, Any]] = [{"path": str(Path(root) / path), "thumbnail_px": side_px} for path in paths]
    found = dict[str, str]()
    with PictureWorkers(num_workers(len(paths))) as workers:
        for done, answer in enumerate(workers.answers(requests), start=1):
            try:
                tree = parse_json(answer or b"{}")
            except Malformed:
                tree = None
            jpeg = tree.get("jpeg") if isinstance(tree, dict) else None
            if isinstance(jpeg, str) and jpeg:
                found[paths[done - 1]] = jpeg
            tell(done, len(paths))
    return found
