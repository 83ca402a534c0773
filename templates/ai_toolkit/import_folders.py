"""Import of ai-toolkit's data sets: folders with their repeats, and how captions are read."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

from templates.ai_toolkit.import_keys import DATASET_KEYS
from templates.importing.ledger import Ledger
from templates.importing.local_files import NUMBERED_FOLDER, LocalFiles
from templates.importing.readers import flag, numbers, text, whole

SAME = "we have one for all pictures; data sets differ, and the first counts"


def settle_datasets(ledger: Ledger, local: LocalFiles) -> int | None:
    """Folders and captions; images times repeats, None where nobody knows."""
    places = [f"datasets[{number}]" for number in range(100) if ledger.all_keys(f"datasets[{number}].")]
    own = [place for place in places if not ledger.read(f"{place}.is_reg", flag, False)]
    regular = [place for place in places if place not in own]
    for name, meaning in DATASET_KEYS.items():
        ledger.settle_alike([f"{place}.{name}" for place in own], meaning.path, meaning.read, SAME)
    for place in own:
        if sides := ledger.read(f"{place}.resolution", numbers):
            note = "the first of several" if len(sides) > 1 else ""
            ledger.settle(f"{place}.resolution", "dataset.resolution_px", int(sides[0]), note)
        if ledger.read(f"{place}.alpha_mask", flag, False):
            ledger.settle(f"{place}.alpha_mask", "dataset.masks", True)
    if regular and (path := ledger.read(f"{regular[0]}.folder_path", text)):
        folder = _place(path)
        folder = folder.parent if NUMBERED_FOLDER.match(folder.name) else folder
        ledger.settle(f"{regular[0]}.folder_path", "dataset.regularization_images", str(folder), "is_reg")
    exposures = _settle_folders(ledger, own, local)
    for key in ledger.all_keys("datasets["):
        if ledger.is_pending(key) and key.partition(".")[0] in regular:
            ledger.idle(key, "the same for all pictures with us")
    return exposures and exposures * (2 if regular else 1)


def _place(path: str) -> PurePosixPath:
    is_windows = PureWindowsPath(path).drive or "\\" in path
    return PurePosixPath(PureWindowsPath(path).as_posix() if is_windows else path)


def _settle_folders(ledger: Ledger, own: list[str], local: LocalFiles) -> int | None:
    found = {}
    for place in own:
        key = f"{place}.folder_path" if ledger.has(f"{place}.folder_path") else f"{place}.dataset_path"
        if path := ledger.read(key, text):
            found[key] = (_place(path), max(1, ledger.read(f"{place}.num_repeats", whole, 1)), path)
        ledger.idle(f"{place}.num_repeats", "with its folder") if ledger.has(f"{place}.num_repeats") else None
    if not found:
        return None
    key, (first, repeats, path) = next(iter(found.items()))
    is_kohya = all((m := NUMBERED_FOLDER.match(f.name)) and int(m[1]) == n for f, n, _ in found.values())
    if len(found) == 1 and not is_kohya:
        ledger.settle(key, "dataset.images", path)
        ledger.settle(key, "dataset.repeats", repeats, "its num_repeats")
        _settle_trigger(ledger, own)
        return None
    if len({folder.parent for folder, _, _ in found.values()}) > 1:
        ledger.contradict(key, "we take pictures from one folder: move them together")
    ledger.settle(key, "dataset.images", str(first.parent), "the folder that they are in")
    for other in list(found)[1:]:
        ledger.translate(other, "below the same folder")
    counts = {number for _, number, _ in found.values()}
    if len(counts) == 1:
        ledger.settle(key, "dataset.repeats", counts.pop(), "its num_repeats")
    else:
        listed = [{"path": folder.name, "repeats": number} for folder, number, _ in found.values()]
        ledger.settle(key, "dataset.folders", listed, "each folder has its own")
    _settle_trigger(ledger, own)
    seen = local.numbered_folders(str(first.parent)) or {}
    return sum(seen.get(folder.name, 0) * number for folder, number, _ in found.values()) or None


def _settle_trigger(ledger: Ledger, own: list[str]) -> None:
    if (word := ledger.read("trigger_word", text)) is not None:
        note = "put in front of captions that lack it, as ai-toolkit does, with a comma behind it"
        ledger.settle("trigger_word", "run.trigger", word, note)
        ledger.imply("dataset.prepend_trigger", True)
        return
    keys = [f"{place}.default_caption" for place in own if ledger.has(f"{place}.default_caption")]
    words = {ledger.read(key, text) for key in keys}
    if len(words) == 1:
        ledger.settle(keys[0], "run.trigger", words.pop(), "what pictures without captions show")
        for key in keys[1:]:
            ledger.idle(key, "the same as the first's")
