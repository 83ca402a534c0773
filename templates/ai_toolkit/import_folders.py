"""Import of ai-toolkit's data sets: folders with their repeats, and how captions are read."""

from __future__ import annotations

from templates.ai_toolkit.defaults import DEFAULTS
from templates.ai_toolkit.import_keys import DATASET_KEYS
from templates.importing.ledger import Ledger
from templates.importing.local_files import LocalFiles
from templates.importing.named_folders import ForeignFolder, settle_class_images, settle_images
from templates.importing.readers import flag, numbers, text, whole


def settle_datasets(ledger: Ledger, local: LocalFiles) -> int | None:
    """Folders and captions; images times repeats, None where nobody knows."""
    places = [f"datasets[{number}]" for number in range(100) if ledger.all_keys(f"datasets[{number}].")]
    regular = [place for place in places if ledger.read(f"{place}.is_reg", flag, False)]
    own = [place for place in places if place not in regular]
    _settle_caching(ledger, places)
    for name, meaning in DATASET_KEYS.items():
        absent = DEFAULTS.get(meaning.path, ledger.settings.get(meaning.path))
        ledger.settle_alike([f"{place}.{name}" for place in own], meaning.path, meaning.read, absent)
    _settle_crops(ledger, own)
    ledger.settle_alike([f"{place}.alpha_mask" for place in own], "dataset.masks", flag, False)
    resolutions = _settle_resolution(ledger, own)
    folders = _folders(ledger, own)
    settle_images(ledger, folders)
    settle_class_images(ledger, _folders(ledger, regular))
    _settle_trigger(ledger, own)
    for key in ledger.all_keys("datasets["):
        if ledger.is_pending(key) and key.partition(".")[0] in regular:
            ledger.idle(key, "the same for all pictures with us")
    counts = [local.num_images(folder.path, subfolders=True) for folder in folders]
    exposures = sum((count or 0) * folder.repeats for count, folder in zip(counts, folders, strict=True))
    return None if None in counts else exposures * resolutions * (2 if regular else 1) or None


def _settle_caching(ledger: Ledger, places: list[str]) -> None:
    """Latents are cached in memory, on disk or both; one way is enough."""
    keys = [f"{place}.{name}" for place in places for name in ("cache_latents_to_disk", "cache_latents")]
    said = [key for key in keys if ledger.has(key)]
    cached = [key for key in said if ledger.read(key, flag, False)]
    for key in (cached or said)[:1]:
        ledger.settle(key, "memory.cache_latents", bool(cached))
    for key in said:
        if ledger.is_pending(key):
            ledger.idle(key, "one way of caching is enough")


def _settle_crops(ledger: Ledger, own: list[str]) -> None:
    """Crops are drawn before latents are cached: then each picture has one for good."""
    keys = [f"{place}.random_crop" for place in own]
    if not ledger.settings.get("memory.cache_latents"):
        ledger.settle_alike(keys, "dataset.random_crop", flag, False)
        return
    for key in keys:
        if ledger.read(key, flag, False):
            ledger.translate(key, "cached latents are cropped once, somewhere; ours in the middle")
        else:
            ledger.idle(key)


def _settle_resolution(ledger: Ledger, own: list[str]) -> int:
    """The first; how many the first data set has, at each of which its pictures are shown."""
    usual = (DEFAULTS["dataset.resolution_px"],)
    found = {key: ledger.read(key, numbers) or usual for key in (f"{place}.resolution" for place in own)}
    first = next(iter(found.values()), usual)
    for number, (key, sides) in enumerate(found.items()):
        if not ledger.has(key):
            continue
        if not number:
            several = len(sides) > 1
            note = "the first of several, at each of which ai-toolkit shows every picture" if several else ""
            ledger.settle(key, "dataset.resolution_px", int(sides[0]), note)
        elif sides == first:
            ledger.idle(key, "the same for all folders")
        else:
            ledger.contradict(key, "the data sets differ, and we have one for all: the first counts")
    side = int(first[0])
    ledger.imply("dataset.min_bucket_px", min(256, side))
    ledger.imply("dataset.max_bucket_px", max(1024, side * 2))
    return max((len(sides) for sides in found.values()), default=1)


def _folders(ledger: Ledger, places: list[str]) -> list[ForeignFolder]:
    found = []
    for place in places:
        key = f"{place}.folder_path" if ledger.has(f"{place}.folder_path") else f"{place}.dataset_path"
        caption = ledger.read(f"{place}.default_caption", text, "")
        repeats = max(1, ledger.read(f"{place}.num_repeats", whole, 1))
        for name in ("num_repeats", "default_caption", "is_reg"):
            if ledger.has(f"{place}.{name}"):
                ledger.translate(f"{place}.{name}", "with its folder")
        if path := ledger.read(key, text):
            found.append(ForeignFolder(key, path, repeats, caption, subfolders=True))
    return found


def _settle_trigger(ledger: Ledger, own: list[str]) -> None:
    keys = [key for key in ("trigger_word", *(f"{place}.trigger_word" for place in own)) if ledger.has(key)]
    for key in keys[:1]:
        note = "put in front of captions that lack it, as ai-toolkit does, with a comma behind it"
        ledger.settle(key, "run.trigger", ledger.read(key, text), note)
        ledger.imply("dataset.prepend_trigger", True)
    for key in keys[1:]:
        if ledger.read(key, text) == ledger.settings.get("run.trigger"):
            ledger.idle(key, "the same for all folders")
        else:
            ledger.contradict(key, "we have one trigger: that of the job counts")
    words = {ledger.read(f"{place}.default_caption", text, "") for place in own}
    if not keys and len(words) == 1 and len((word := words.pop()).split()) == 1:
        key = f"{own[0]}.default_caption"
        ledger.settle(key, "run.trigger", word, "what pictures without captions show")
