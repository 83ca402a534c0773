"""Import of keys that the GUI, sd-scripts and LoRA metadata share: sizes, noise, masks, folders, saves, samples."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from templates.importing.ledger import Key, Ledger
from templates.importing.local_files import NUMBERED_FOLDER, LocalFiles
from templates.importing.named_folders import (
    ForeignFolder,
    first_word,
    place_of,
    settle_class_images,
    settle_images,
)
from templates.importing.readers import flag, number, says_nothing, text, whole
from templates.kohya.words import ANIMA

SCRIPTS_PROJECT = "network_train"
"""Where sd-scripts' LoRA training sends curves when no project is named."""

NO_UPSCALE = "turned round: kohya's key says no"
FROM_NAMES = "from the names of its folders"
SAMPLE_KEYS = ("sample_prompts", "sample_every_n_epochs", "sample_sampler")


def settle_model_and_sizes(ledger: Ledger, family: str, resolution_key: str, buckets: Buckets) -> None:
    """What the model predicts, the images' sizes, the seed and masks."""
    _settle_prediction(ledger, family)
    settle_resolution(ledger, resolution_key)
    settle_buckets(ledger, buckets)
    settle_bucket_step(ledger, ledger.effective_key("bucket_reso_steps"), family)
    _settle_seed(ledger)
    _settle_masks(ledger)


def _settle_prediction(ledger: Ledger, family: str) -> None:
    """What the base model predicts."""
    key = ledger.effective_key("v_parameterization")
    if (is_v := ledger.read(key, flag)) is not None:
        ledger.settle(key, "model.prediction", "v_prediction" if is_v else "epsilon")
    elif family in ("sd1", "sd2", "sdxl"):
        ledger.imply("model.prediction", "epsilon")
    else:
        ledger.imply("model.prediction", "flow")


def settle_resolution(ledger: Ledger, key: str) -> None:
    """One side: of a rectangle the square of the same area."""
    name = ledger.effective_key(key)
    sides = ledger.read(name, _sides)
    if not sides:
        return
    if len(set(sides)) == 1:
        odd = "x" in str(ledger.raw(name)).lower()
        ledger.settle(name, "dataset.resolution_px", sides[0], "kohya wants a comma between the sides" if odd else "")
        return
    side = max(64, round(math.sqrt(sides[0] * sides[1]) / 64) * 64)
    ledger.settle(name, "dataset.resolution_px", side, "a rectangle; the square of the same area is taken")


def _sides(raw: Any) -> tuple[int, ...]:
    if isinstance(raw, str):
        raw = re.sub(r"[()\[\] ]", "", raw.lower()).replace("x", ",").split(",")
    found = tuple(whole(part) for part in (raw if isinstance(raw, list) else [raw]) if not says_nothing(part))
    if not 1 <= len(found) <= 2 or min(found, default=0) < 1:
        raise ValueError("no width and height")
    return found


@dataclass(frozen=True)
class Buckets:
    """What a file means that says nothing of buckets."""

    usual: Mapping[str, Any] = field(default_factory=dict)
    """Their sides and whether they enlarge; empty: the trainer's defaults say it."""
    enabled: bool = True
    in_other_file: bool = False
    """Whether a data set's own file says if there are any: then their sides count in any case."""


def settle_buckets(ledger: Ledger, buckets: Buckets) -> None:
    """Buckets; without them only the square, which small pictures are enlarged to."""
    enabled = ledger.read(name := ledger.effective_key("enable_bucket"), flag, buckets.enabled)
    keys = {
        "dataset.min_bucket_px": ledger.effective_key("min_bucket_reso"),
        "dataset.max_bucket_px": ledger.effective_key("max_bucket_reso"),
        "dataset.bucket_upscale": ledger.effective_key("bucket_no_upscale"),
    }
    if ledger.has(name):
        ledger.translate(name, "" if enabled else "no buckets: the square is the only size")
    if not (enabled or buckets.in_other_file):
        without_buckets(ledger, ledger.settings.get("dataset.resolution_px", 512))
        for key in keys.values():
            ledger.idle(key, "there are no buckets")
        return
    for path, key in keys.items():
        is_size = path != "dataset.bucket_upscale"
        value = ledger.read(key, whole if is_size else flag)
        if value is None and path in buckets.usual:
            ledger.imply(path, buckets.usual[path])
        elif value is not None:
            ledger.settle(key, path, value if is_size else not value, "" if is_size else NO_UPSCALE)


def without_buckets(ledger: Ledger, side_px: int) -> None:
    """The square alone; whatever is smaller is enlarged to it."""
    for path in ("dataset.min_bucket_px", "dataset.max_bucket_px"):
        ledger.imply(path, side_px)
    ledger.imply("dataset.bucket_upscale", True)


def settle_bucket_step(ledger: Ledger, key: str, family: str) -> None:
    """The step between buckets' sides, which sd-scripts takes in multiples only."""
    step, unit = ledger.read(key, whole), {"sdxl": 32, ANIMA: 16}.get(family, 64)
    if step is None:
        return
    if step > 0 and step % unit == 0:
        ledger.settle(key, "dataset.bucket_step_px", step)
        return
    ledger.correct(key, "dataset.bucket_step_px", 64, f"sd-scripts wants a multiple of {unit} here; 64 is taken")


def _settle_seed(ledger: Ledger) -> None:
    """The seed; kohya's GUI takes 0 for a random one."""
    key = ledger.effective_key("seed")
    seed = ledger.read(key, whole)
    if seed is None:
        return
    if seed == 0 and not key.startswith("--"):
        ledger.drop(key, "0 is a random seed there; ours is always the same")
        return
    ledger.settle(key, "run.seed", seed % 2**32, "" if 0 <= seed < 2**32 else "cut to 32 bits")


def _settle_masks(ledger: Ledger) -> None:
    """Masks: from the images' alpha channel, or from files."""
    loss, alpha = ledger.effective_key("masked_loss"), ledger.effective_key("alpha_mask")
    is_masked, uses_alpha = ledger.read(loss, flag, False), ledger.read(alpha, flag, False)
    if ledger.has(loss):
        ledger.settle(loss, "dataset.masks", is_masked)
    if uses_alpha:
        ledger.imply("dataset.masks", True)
        ledger.settle(alpha, "dataset.mask_source", "alpha", "the pictures' alpha channel is the mask")
    elif is_masked:
        ledger.imply("dataset.mask_source", "files")


def settle_noise(ledger: Ledger, *, multires: bool, offset: bool) -> None:
    """Noise offset and coarser noise, as far as kohya looks at each."""
    for key, path, reader, counts in (
        ("noise_offset", "loss.noise_offset", number, offset),
        ("adaptive_noise_scale", "loss.adaptive_noise_scale", number, offset),
        ("multires_noise_iterations", "loss.multires_iterations", whole, multires),
        ("multires_noise_discount", "loss.multires_discount", number, multires),
    ):
        name = ledger.effective_key(key)
        value = ledger.read(name, reader)
        if value is None:
            continue
        if not counts and not name.startswith("--"):
            ledger.idle(name, "not looked at with this kind of noise offset")
        else:
            ledger.settle(name, path, value)


def settle_folders(ledger: Ledger, local: LocalFiles) -> int | None:
    """The images and those of the class: `N_name` folders, which alone count for kohya.

    Returns:
        How many exposures an epoch has, those of the class too; None where nobody knows.
    """
    exposures = None
    if trained := _settle_data_dir(ledger, local, "train_data_dir", "dataset.images", settle_images):
        named, counts = trained
        if word := first_word([one.caption for one in named]):
            ledger.settle(ledger.effective_key("train_data_dir"), "run.trigger", word, FROM_NAMES)
        exposures = sum(counts[one.place.name] * one.repeats for one in named) or None
    if _settle_data_dir(ledger, local, "reg_data_dir", "dataset.regularization_images", settle_class_images):
        return exposures and exposures * 2
    return exposures


def _settle_data_dir(
    ledger: Ledger, local: LocalFiles, name: str, path: str, settle: Callable[..., None]
) -> tuple[list[ForeignFolder], Mapping[str, int]] | None:
    """The `N_name` folders in the folder of a key, which `settle` takes, else the folder itself at `path`.

    Returns:
        The folders, and how many images each folder in it has; None where the file names none.
    """
    key = ledger.effective_key(name)
    if not (folder := ledger.read(key, text)):
        return None
    counts = local.numbered_folders(folder)
    named = _numbered(key, folder, counts)
    if named:
        settle(ledger, named, root=place_of(folder))
    else:
        ledger.settle(key, path, folder, _why_whole(counts))
    return named, counts or {}


def _numbered(key: str, folder: str, names: Mapping[str, int] | None) -> list[ForeignFolder]:
    matched = [(name, found) for name in names or () if (found := NUMBERED_FOLDER.match(name)) and int(found[1])]
    inside = "\\" if "\\" in folder else "/"
    return [
        ForeignFolder(key, f"{folder.rstrip(inside)}{inside}{name}", int(found[1]), (found[2] or "").strip())
        for name, found in matched
    ]


def _why_whole(names: Mapping[str, int] | None) -> str:
    if names is None:
        return "not on this machine: import it where it is, for kohya takes folders and repeats from their names"
    return "kohya takes folders named N_name alone, and there is none: all pictures in it are taken"


def epochs_needed(steps: int, exposures: int | None, *, batch: int, accumulation: int) -> int:
    """Epochs that hold so many steps; where the images are not here, as many as there are steps always do."""
    if not exposures:
        return max(1, steps)
    return max(1, math.ceil(steps * batch * accumulation / exposures))


def settle_saves(ledger: Ledger, *, zero_is_left_out: bool) -> None:
    """How many files are kept, and where curves go.

    Args:
        zero_is_left_out: so it is among the GUI's values; sd-scripts keeps a single file of each step by it.
    """
    _settle_keep_last(ledger, zero_is_left_out=zero_is_left_out)
    _settle_tracking(ledger)


def _settle_keep_last(ledger: Ledger, *, zero_is_left_out: bool) -> None:
    """How many saves are kept: kohya counts epochs and steps, we count files."""
    epochs, steps = ledger.effective_key("save_last_n_epochs"), ledger.effective_key("save_last_n_steps")
    kept = ledger.read(epochs, whole, 0)
    if kept and ledger.settings.get("saving.every_epochs"):
        ledger.settle(epochs, "saving.keep_last", kept)
    every = ledger.settings.get("saving.every_steps", 0)
    last = ledger.read(steps, whole, 0)
    is_given = ledger.has(steps) and (last or steps.startswith("--") or not zero_is_left_out)
    if every and is_given:
        number_kept = last // every + 1  # a file goes once it is older than so many steps
        if "saving.keep_last" in ledger.settings and ledger.settings["saving.keep_last"] != number_kept:
            ledger.contradict(steps, "epochs and steps keep different numbers; that of the epochs counts")
            return
        ledger.settle(steps, "saving.keep_last", number_kept, f"{last} steps are {number_kept} files")


def _settle_tracking(ledger: Ledger) -> None:
    """The project at Weights & Biases, where kohya sends its curves to one; a key is never taken over."""
    log, name = ledger.effective_key("log_with"), ledger.effective_key("log_tracker_name")
    is_ticked = ledger.has("use_wandb") and ledger.read("use_wandb", flag, False)
    if str(ledger.read(log, text, "")).lower() not in ("wandb", "all") and not is_ticked:
        return
    key = log if ledger.has(log) else "use_wandb"
    if ledger.has(name):
        ledger.take(name, Key("run.wandb_project", text))
        ledger.translate(key, "curves are sent to that project; here that needs `wandb login` too")
    else:
        ledger.settle(key, "run.wandb_project", SCRIPTS_PROJECT, "sd-scripts' own name for a project without one")


def mark_samples_idle(ledger: Ledger) -> None:
    """The keys of samples, where none are drawn."""
    for key in SAMPLE_KEYS:
        ledger.idle(key, "no samples are drawn")


def settle_text_cache(ledger: Ledger, key: str, family: str) -> None:
    """Whether captions are encoded once; kohya looks at it for SDXL only."""
    if family != "sdxl":
        ledger.idle(key, "looked at for SDXL only")
    elif (cached := ledger.read(key, flag)) is not None:
        ledger.settle(key, "memory.cache_text", cached)
