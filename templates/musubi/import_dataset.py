"""Import of musubi-tuner's `dataset.toml`: folders of pictures, repeats, sizes; [general] says what they leave out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from templates.importing.ledger import Ledger, flat
from templates.importing.local_files import LocalFiles
from templates.importing.named_folders import ForeignFolder, settle_images
from templates.importing.readers import flag, text, whole
from templates.kohya.import_dataset_toml import FIRST_COUNTS, ImportedImages
from templates.kohya.import_shared import NO_UPSCALE, settle_resolution, without_buckets
from templates.musubi.defaults import DEFAULTS
from templates.musubi.import_keys import DATASET_KEYS, HARMLESS_MEANINGS, HARMLESS_VALUES, UNMAPPED_KEYS

ROOT = "dataset.toml "
"""What its keys begin with among those of both files."""
GENERAL = f"{ROOT}general."
FOLDER = "image_directory"
MOST_FOLDERS = 100


def is_dataset(tree: Any) -> bool:
    """Whether a file is musubi-tuner's `dataset.toml`."""
    found = tree.get("datasets") if isinstance(tree, Mapping) else None
    return isinstance(found, list) and any(isinstance(one, Mapping) and FOLDER in one for one in found)


def import_dataset(tree: Any, local: LocalFiles) -> ImportedImages:
    """The file in our settings, with images times repeats where all are on this machine."""
    ledger = Ledger({f"{ROOT}{key}": value for key, value in flat(tree)})
    places = [f"{ROOT}datasets[{number}]." for number in range(MOST_FOLDERS)]
    places = [place for place in places if ledger.has(place + FOLDER)]
    settle_resolution(ledger, _first(ledger, places, "resolution"))
    if ledger.has(key := _first(ledger, places, "batch_size")):
        ledger.settle(key, "schedule.batch_size", ledger.read(key, whole))
    _settle_buckets(ledger, places)
    for name, meaning in DATASET_KEYS.items():
        keys = [_key(ledger, place, name) for place in places]
        ledger.settle_alike(keys, meaning.path, meaning.read, DEFAULTS[meaning.path])
    folders = [one for place in places if (one := _folder(ledger, place)) is not None]
    settle_images(ledger, folders)
    counts = [local.num_images(folder.path, subfolders=False) for folder in folders]
    exposures = None if None in counts else sum((n or 0) * one.repeats for n, one in zip(counts, folders, strict=True))
    lines = ledger.finish(UNMAPPED_KEYS, HARMLESS_VALUES, HARMLESS_MEANINGS)
    return ImportedImages(ledger.settings, lines, exposures or None)


def _key(ledger: Ledger, place: str, name: str) -> str:
    """The key in effect: the folder's own, or that of [general]."""
    return place + name if ledger.has(place + name) or not ledger.has(GENERAL + name) else GENERAL + name


def _first(ledger: Ledger, places: list[str], name: str) -> str:
    """The key in effect for the first folder; those of others are compared with it."""
    keys = [_key(ledger, place, name) for place in places] or [GENERAL + name]
    for key in dict.fromkeys(keys[1:]):
        if key == keys[0] or not ledger.has(key):
            continue
        if ledger.raw(key) == ledger.raw(keys[0]):
            ledger.idle(key, "the same as elsewhere")
        else:
            ledger.contradict(key, FIRST_COUNTS)
    if ledger.has(GENERAL + name) and GENERAL + name not in keys:
        ledger.idle(GENERAL + name, "the folders say it themselves")
    return keys[0]


def _settle_buckets(ledger: Ledger, places: list[str]) -> None:
    """Buckets from half of the resolution's side on; without them the square alone."""
    enabled, fixed = (_first(ledger, places, name) for name in ("enable_bucket", "bucket_no_upscale"))
    side = int(ledger.settings.get("dataset.resolution_px", DEFAULTS["dataset.resolution_px"]))
    has_buckets = ledger.read(enabled, flag, False)
    if ledger.has(enabled):
        ledger.translate(enabled, "" if has_buckets else "no buckets: the square is the only size")
    if not has_buckets:
        without_buckets(ledger, side)
        ledger.idle(fixed, "there are no buckets")
        return
    ledger.imply("dataset.min_bucket_px", side // 2)
    ledger.imply("dataset.max_bucket_px", side * 2)
    is_fixed = ledger.read(fixed, flag, False)
    if ledger.has(fixed):
        ledger.settle(fixed, "dataset.bucket_upscale", not is_fixed, NO_UPSCALE)
    else:
        ledger.imply("dataset.bucket_upscale", True)


def _folder(ledger: Ledger, place: str) -> ForeignFolder | None:
    key = _key(ledger, place, "num_repeats")
    repeats = max(1, ledger.read(key, whole, 1))
    if ledger.has(key) and ledger.is_pending(key):
        ledger.translate(key, "with its folder")
    path = ledger.read(place + FOLDER, text)
    return ForeignFolder(place + FOLDER, path, repeats) if path else None
