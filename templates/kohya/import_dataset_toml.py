"""Import of sd-scripts' `dataset.toml`: folders, repeats; what a subset leaves out, its data set or [general] says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from templates.importing.imported import Line
from templates.importing.ledger import Key, Ledger, flat
from templates.importing.named_folders import ForeignFolder, first_word, settle_class_images, settle_images
from templates.importing.readers import flag, number, text, whole
from templates.kohya.import_keys import HARMLESS_MEANINGS, SETTING_KEYS, UNMAPPED_KEYS
from templates.kohya.import_shared import NO_UPSCALE, settle_bucket_step, settle_resolution, without_buckets

ROOT = "dataset.toml "
"""What its keys begin with among those of both files."""

SUBSET_KEYS: Mapping[str, Key] = {
    name: SETTING_KEYS[name] for name in (
        "caption_extension", "shuffle_caption", "keep_tokens", "keep_tokens_separator", "flip_aug", "enable_wildcard",
        "caption_dropout_rate", "caption_tag_dropout_rate", "random_crop",
    )
}  # fmt: skip
"""Keys that each folder may have its own value of."""

BATCH = Key("schedule.batch_size", whole)
BUCKET_SIDES: Mapping[str, Key] = {
    "min_bucket_reso": Key("dataset.min_bucket_px", whole),
    "max_bucket_reso": Key("dataset.max_bucket_px", whole),
}

FIRST_COUNTS = "the data sets differ, and we have one for all: the first counts"

UNMAPPED_DATASET_KEYS = {
    **UNMAPPED_KEYS,
    "metadata_file": "captions are read from files beside the pictures",
    "network_multiplier": "our adapter always trains at full strength",
    "color_aug": "we change no colours",
    "custom_attributes": "we have no use for them",
    "cache_info": "our training reads pictures itself",
}
HARMLESS_DATASET_VALUES: Mapping[str, tuple[object, ...]] = {
    "network_multiplier": (1,), "caption_separator": (",",),
}  # fmt: skip


@dataclass(frozen=True)
class ImportedImages:
    """What is known of the images."""

    settings: Mapping[str, Any]
    lines: tuple[Line, ...]
    exposures: int | None = None


@dataclass(frozen=True)
class _Subset:
    """One folder, and where its keys stand."""

    beginnings: tuple[str, ...]
    """Of its own keys, of its data set's and of [general]."""
    key: str
    folder: str

    def key_of(self, ledger: Ledger, name: str) -> str:
        """The key in effect; its own where none is there."""
        keys = [beginning + name for beginning in self.beginnings]
        return next((key for key in keys if ledger.has(key)), keys[0])


NO_SUBSET = _Subset((f"{ROOT}datasets[0].subsets[0].", f"{ROOT}datasets[0].", f"{ROOT}general."), "", "")
"""Where a file has none yet, its data set speaks for those to come."""


def is_dataset(tree: Any) -> bool:
    """Whether a file is sd-scripts' `dataset.toml`."""
    return isinstance(tree, Mapping) and isinstance(tree.get("datasets"), list)


def import_dataset(
    tree: Any, family: str, otherwise: Mapping[str, Any], *, has_buckets: bool = False
) -> ImportedImages:
    """The file in our settings.

    Args:
        otherwise: settings by path as `config.toml` has them, which count where this file says nothing; of buckets as
            they are where there are any.
        has_buckets: whether there are, where this file does not say.
    """
    if not isinstance(tree, Mapping):
        return ImportedImages({}, (Line("dataset_config", "", "contradictory", note="it holds no tables"),))
    ledger = Ledger({f"{ROOT}{key}": value for key, value in flat(tree)})
    subsets = _subsets(ledger)
    regular = [one for one in subsets if ledger.read(one.key_of(ledger, "is_reg"), flag, False)]
    own = [one for one in subsets if one not in regular]
    _settle_data_sets(ledger, subsets or [NO_SUBSET], family, otherwise)
    _settle_buckets(ledger, subsets or [NO_SUBSET], otherwise, has_buckets=has_buckets)
    _settle_by_folder(ledger, own or subsets or [NO_SUBSET], otherwise)
    _settle_folders(ledger, own, regular)
    for key in ledger.all_keys():
        name = key.rpartition(".")[2]
        if ledger.is_pending(key) and ledger.has(key) and name in SUBSET_KEYS:
            ledger.drop(key, "class pictures are treated like the others with us")
    lines = ledger.finish(UNMAPPED_DATASET_KEYS, HARMLESS_DATASET_VALUES, HARMLESS_MEANINGS)
    return ImportedImages(ledger.settings, lines)


def _subsets(ledger: Ledger) -> list[_Subset]:
    found = []
    for key in ledger.all_keys():
        if key.rpartition(".")[2] != "image_dir" or not (folder := ledger.read(key, text)):
            continue
        own = key.removesuffix("image_dir")
        data_set = own.partition("subsets[")[0]
        found.append(_Subset((own, data_set, f"{ROOT}general."), key, folder))
    return found


def _settle_data_sets(ledger: Ledger, subsets: Sequence[_Subset], family: str, otherwise: Mapping[str, Any]) -> None:
    """Sizes, buckets and the batch: of several data sets the first counts."""
    beginnings = list(dict.fromkeys(one.beginnings[1] for one in subsets))
    settle_resolution(ledger, _first(ledger, beginnings, "resolution"))
    settle_bucket_step(ledger, _first(ledger, beginnings, "bucket_reso_steps"), family)
    if ledger.has(key := _first(ledger, beginnings, "batch_size")):
        ledger.take(key, BATCH)
    held_out = [one.beginnings[1] + "validation_split" for one in subsets]
    held_out = [key if ledger.has(key) else f"{ROOT}general.validation_split" for key in held_out]
    ledger.settle_alike(held_out, "validation.share", number, otherwise["validation.share"])


def _first(ledger: Ledger, beginnings: Sequence[str], name: str) -> str:
    """The key in effect for the first data set; those of others are compared with it."""
    general = f"{ROOT}general.{name}"
    keys = [key if ledger.has(key := beginning + name) else general for beginning in beginnings]
    for key in dict.fromkeys((*keys[1:], general)):
        if key == keys[0] or not ledger.has(key) or not ledger.is_pending(key):
            continue
        if ledger.raw(key) == ledger.raw(keys[0]):
            ledger.idle(key, "the same as elsewhere")
        elif key in keys:
            ledger.contradict(key, FIRST_COUNTS)
        else:
            ledger.idle(key, "the data sets say it themselves")
    return keys[0]


def _settle_buckets(
    ledger: Ledger, subsets: Sequence[_Subset], otherwise: Mapping[str, Any], *, has_buckets: bool
) -> None:
    beginnings = list(dict.fromkeys(one.beginnings[1] for one in subsets))
    key = _first(ledger, beginnings, "enable_bucket")
    enabled = ledger.read(key, flag, has_buckets)
    if ledger.has(key):
        ledger.translate(key, "" if enabled else "no buckets: the square is the only size")
    fixed = _first(ledger, beginnings, "bucket_no_upscale")
    sides = {_first(ledger, beginnings, name): meaning for name, meaning in BUCKET_SIDES.items()}
    if not enabled:
        side = ledger.settings.get("dataset.resolution_px", otherwise["dataset.resolution_px"])
        without_buckets(ledger, side)
        for key in (*sides, fixed):
            ledger.idle(key, "there are no buckets")
        return
    for key, meaning in sides.items():
        if ledger.has(key):
            ledger.take(key, meaning)
    if (is_fixed := ledger.read(fixed, flag)) is not None:
        ledger.settle(fixed, "dataset.bucket_upscale", not is_fixed, NO_UPSCALE)


def _settle_by_folder(ledger: Ledger, subsets: Sequence[_Subset], otherwise: Mapping[str, Any]) -> None:
    for name, meaning in SUBSET_KEYS.items():
        keys = [one.key_of(ledger, name) for one in subsets]
        ledger.settle_alike(keys, meaning.path, meaning.read, otherwise[meaning.path])
        for beginning in {beginning for one in subsets for beginning in one.beginnings[1:]}:
            if ledger.is_pending(beginning + name) and ledger.has(beginning + name):
                ledger.idle(beginning + name, "the folders say it themselves")
    masks = [one.key_of(ledger, "alpha_mask") for one in subsets]
    ledger.settle_alike(masks, "dataset.masks", flag, otherwise["dataset.masks"])
    if ledger.settings.get("dataset.masks"):
        ledger.imply("dataset.mask_source", "alpha")


def _settle_folders(ledger: Ledger, own: Sequence[_Subset], regular: Sequence[_Subset]) -> None:
    settle_images(ledger, _foreign(ledger, own))
    settle_class_images(ledger, _foreign(ledger, regular))
    captions = [ledger.read(one.key_of(ledger, "class_tokens"), text, "") for one in own]
    if (word := first_word(captions)) and own:
        key = own[0].key_of(ledger, "class_tokens")
        ledger.settle(key, "run.trigger", word, "what pictures without captions show; its first word is the trigger")
    for key in dict.fromkeys(one.key_of(ledger, "class_tokens") for one in (*own, *regular)):
        if ledger.has(key) and ledger.is_pending(key):
            ledger.translate(key, "with its folder: what its pictures without a caption show")


def _foreign(ledger: Ledger, subsets: Sequence[_Subset]) -> list[ForeignFolder]:
    found = []
    for one in subsets:
        key = one.key_of(ledger, "num_repeats")
        repeats = ledger.read(key, whole, 1)
        for name in ("num_repeats", "is_reg"):
            if ledger.has(place := one.key_of(ledger, name)) and ledger.is_pending(place):
                ledger.translate(place, "with its folder")
        if repeats < 1:
            ledger.contradict(one.key, "its repeats are below 1: sd-scripts leaves the folder out, and so do we")
            continue
        caption = ledger.read(one.key_of(ledger, "class_tokens"), text, "")
        found.append(ForeignFolder(one.key, one.folder, repeats, caption))
    return found
