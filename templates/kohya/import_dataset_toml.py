"""Import of sd-scripts' `dataset.toml`: folders, repeats; what a subset leaves out, its data set or [general] says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from templates.importing.imported import Line
from templates.importing.ledger import Key, Ledger, flat
from templates.importing.local_files import NUMBERED_FOLDER
from templates.importing.readers import flag, text, whole
from templates.kohya.import_keys import HARMLESS_MEANINGS, SETTING_KEYS, UNMAPPED_KEYS
from templates.kohya.import_shared import settle_bucket_step, settle_resolution

SAME = "we have one for all pictures; subsets differ, and the first counts"

DATASET_KEYS: Mapping[str, Key] = {
    **{name: SETTING_KEYS[name] for name in (
        "caption_extension", "shuffle_caption", "keep_tokens", "keep_tokens_separator",
        "flip_aug", "enable_wildcard", "caption_dropout_rate", "caption_tag_dropout_rate", "random_crop",
        "validation_split",
    )},
    "batch_size": Key("schedule.batch_size", whole),
    "min_bucket_reso": Key("dataset.min_bucket_px", whole),
    "max_bucket_reso": Key("dataset.max_bucket_px", whole),
}  # fmt: skip

UNMAPPED_DATASET_KEYS = {**UNMAPPED_KEYS, "metadata_file": "captions are read from files beside the pictures",
                 "network_multiplier": "our adapter always trains at full strength",
                 "color_aug": "we change no colours",
                 "custom_attributes": "we have no use for them", "cache_info": "our training reads pictures itself",
                 "class_tokens": "the trigger differs by folder: write it into the captions"}  # fmt: skip
HARMLESS_DATASET_VALUES: Mapping[str, tuple[object, ...]] = {
    "network_multiplier": (1,), "enable_bucket": (True,), "caption_separator": (",",),
}  # fmt: skip


@dataclass(frozen=True)
class ImportedImages:
    """What is known of the images."""

    settings: Mapping[str, Any]
    lines: tuple[Line, ...]
    exposures: int | None = None


@dataclass(frozen=True)
class _Subset:
    """One folder."""

    key: str
    folder: str
    repeats: int
    concept: str
    is_reg: bool

    @property
    def path(self) -> PurePosixPath:
        is_windows = PureWindowsPath(self.folder).drive or "\\" in self.folder
        return PurePosixPath(PureWindowsPath(self.folder).as_posix() if is_windows else self.folder)

    @property
    def is_numbered(self) -> bool:
        found = NUMBERED_FOLDER.match(self.path.name)
        return found is not None and int(found[1]) == self.repeats


def is_dataset(tree: Any) -> bool:
    """Whether a file is sd-scripts' `dataset.toml`."""
    return isinstance(tree, Mapping) and isinstance(tree.get("datasets"), list)


def import_dataset(tree: Any, family: str = "sd1") -> ImportedImages:
    """The file in our settings."""
    if not isinstance(tree, Mapping):
        return ImportedImages({}, (Line("dataset_config", "", "contradictory", note="it holds no tables"),))
    ledger = Ledger({f"dataset.toml {key}": value for key, value in flat(tree)})
    for name in ("resolution", "bucket_reso_steps", *DATASET_KEYS):
        _settle_everywhere(ledger, name, family)
    _settle_enabled(ledger)
    subsets = _subsets(ledger)
    _settle_folders(ledger, tuple(subset for subset in subsets if not subset.is_reg))
    if regs := [subset for subset in subsets if subset.is_reg]:
        folder = regs[0].path.parent if regs[0].is_numbered else regs[0].path
        ledger.settle(regs[0].key, "dataset.regularization_images", str(folder), "the folder of is_reg subsets")
        for other in regs[1:]:
            if other.path.parent == folder:
                ledger.translate(other.key, "below the same folder")
            else:
                ledger.contradict(other.key, "we take pictures of the class from one folder: move them together")
    lines = ledger.finish(UNMAPPED_DATASET_KEYS, HARMLESS_DATASET_VALUES, HARMLESS_MEANINGS)
    return ImportedImages(ledger.settings, lines)


def _name(key: str) -> str:
    return key.rpartition(".")[2]


def _settle_everywhere(ledger: Ledger, name: str, family: str) -> None:
    """Subsets before data sets before [general]; all but the first are compared."""
    keys = [key for key in ledger.all_keys() if _name(key) == name]
    keys.sort(key=lambda key: (-key.count("["), "general" in key))
    for place, key in enumerate(keys):
        if place and ledger.raw(key) == ledger.raw(keys[0]):
            ledger.idle(key, "the same as elsewhere")
        elif place:
            ledger.contradict(key, SAME)
        elif name == "resolution":
            settle_resolution(ledger, key)
        elif name == "bucket_reso_steps":
            settle_bucket_step(ledger, key, family)
        elif ledger.has(key):
            ledger.take(key, DATASET_KEYS[name])


def _settle_enabled(ledger: Ledger) -> None:
    """Buckets, their enlarging, and masks."""
    for key in ledger.all_keys():
        name = _name(key)
        if name == "bucket_no_upscale" and (fixed := ledger.read(key, flag)) is not None:
            ledger.settle(key, "dataset.bucket_upscale", not fixed, "turned round: kohya's key says no")
        elif name == "enable_bucket" and ledger.read(key, flag, True) is False:
            side = ledger.settings.get("dataset.resolution_px", 512)
            ledger.settle(key, "dataset.min_bucket_px", side, "no buckets: the square is the only size")
            ledger.imply("dataset.max_bucket_px", side)
        elif name == "alpha_mask" and ledger.read(key, flag, False):
            ledger.settle(key, "dataset.masks", True, "the pictures' alpha channel is the mask")
            ledger.imply("dataset.mask_source", "alpha")


def _subsets(ledger: Ledger) -> list[_Subset]:
    general = max(1, ledger.read("dataset.toml general.num_repeats", whole, 1))
    found = []
    for key in ledger.all_keys():
        if _name(key) != "image_dir" or not (folder := ledger.read(key, text)):
            continue
        place = key.removesuffix("image_dir")
        repeats = max(1, ledger.read(f"{place}num_repeats", whole, general))
        concept = ledger.read(f"{place}class_tokens", text, "")
        is_reg = ledger.read(f"{place}is_reg", flag, False)
        found.append(_Subset(key, folder, repeats, concept, is_reg))
        for name in ("num_repeats", "is_reg"):
            if ledger.has(place + name):
                ledger.translate(place + name, "with its folder")
    return found


def _settle_folders(ledger: Ledger, subsets: tuple[_Subset, ...]) -> None:
    if not subsets:
        return
    first = subsets[0]
    parents = {subset.path.parent for subset in subsets}
    if len(subsets) == 1 and not first.is_numbered:
        ledger.settle(first.key, "dataset.images", first.folder)
    elif len(parents) == 1:
        ledger.settle(first.key, "dataset.images", str(first.path.parent), "the folder that they are all in")
        for subset in subsets[1:]:
            ledger.translate(subset.key, "below the same folder")
    else:
        ledger.settle(first.key, "dataset.images", first.folder)
        for subset in subsets[1:]:
            ledger.contradict(subset.key, "we take pictures from one folder: move them together")
        subsets = subsets[:1]
    _settle_repeats(ledger, subsets)
    concepts = {subset.concept for subset in subsets if subset.concept}
    if len(concepts) == 1:
        place = first.key.removesuffix("image_dir")
        ledger.settle(f"{place}class_tokens", "run.trigger", concepts.pop(), "what pictures without captions show")
        for subset in subsets[1:]:
            ledger.idle(subset.key.removesuffix("image_dir") + "class_tokens")


def _settle_repeats(ledger: Ledger, subsets: tuple[_Subset, ...]) -> None:
    repeats = {subset.repeats for subset in subsets}
    key = subsets[0].key.removesuffix("image_dir") + "num_repeats"
    key = key if ledger.has(key) else subsets[0].key
    if len(repeats) == 1:
        ledger.settle(key, "dataset.repeats", repeats.pop())
        return
    listed = [{"path": subset.path.name, "repeats": subset.repeats} for subset in subsets]
    ledger.settle(key, "dataset.folders", listed, "each folder has its own")
