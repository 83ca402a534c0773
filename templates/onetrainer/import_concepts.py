"""Import of OneTrainer's concepts (folders of images with repeats and captions) and samples."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

from templates.importing.ledger import Ledger
from templates.importing.readers import flag, number, text
from templates.onetrainer.words import EPOCH, NEVER, REGULARIZATION, SAMPLERS

SAME = "we have one for all pictures; concepts differ, and the first counts"

CONCEPT_KEYS = {
    "image.enable_crop_jitter": ("dataset.random_crop", flag),
    "image.enable_random_flip": ("dataset.flip", flag),
    "text.enable_tag_shuffling": ("dataset.shuffle_captions", flag),
    "text.keep_tags_count": ("dataset.keep_tokens", lambda raw: int(number(raw))),
}
"""Keys of a concept that are one setting each."""

RECORDED = ("concept_stats", "seed", "__version", "image_variations", "text_variations", "tag_delimiter",
            "balancing_strategy", "include_subdirectories", "enabled", "type", "resolution_override",
            "caps_randomize_mode", "tag_dropout_special_tags_mode", "prompt_source")  # fmt: skip


@dataclass(frozen=True)
class _Concept:
    key: str
    path: str
    name: str
    repeats: int
    weight: float

    @property
    def place(self) -> PurePosixPath:
        is_windows = PureWindowsPath(self.path).drive or "\\" in self.path
        return PurePosixPath(PureWindowsPath(self.path).as_posix() if is_windows else self.path)


def settle_concepts(ledger: Ledger) -> None:
    """Folders, repeats and captions."""
    found = [concept for key in _numbered(ledger, "concepts") if (concept := _concept(ledger, key)) is not None]
    regular = [concept for concept in found if concept.name == REGULARIZATION]
    own = [concept for concept in found if concept not in regular]
    if regular:
        note = "the concept of that name"
        ledger.settle(f"{regular[0].key}.path", "dataset.regularization_images", regular[0].path, note)
        ledger.settle(f"{regular[0].key}.loss_weight", "loss.prior_weight", regular[0].weight, note)
    for name, (path, reader) in CONCEPT_KEYS.items():
        ledger.settle_alike([f"{concept.key}.{name}" for concept in own], path, reader, SAME)
    _settle_tag_dropout(ledger, own)
    _settle_folders(ledger, own)
    for key in ledger.all_keys("concepts["):
        if ledger.is_pending(key) and (
            key.rpartition(".")[2] in RECORDED or any(key.startswith(f"{r.key}.") for r in regular)
        ):
            ledger.idle(key)
        elif ledger.is_pending(key) and ledger.has(key) and ledger.raw(key) not in (False, 0, 0.0, 1.0):
            ledger.drop(key, "we change pictures and captions in no such way")


def settle_samples(ledger: Ledger) -> None:
    """Prompts, and how often they are drawn."""
    unit, after = ledger.read("sample_after_unit", text, NEVER).upper(), ledger.read("sample_after", number, 0)
    samples = [key for key in _numbered(ledger, "samples") if ledger.read(f"{key}.prompt", text)]
    if not samples or unit != EPOCH or not after:
        for key in ("sample_after", "sample_after_unit", *ledger.all_keys("samples")):
            if unit not in (NEVER, EPOCH) and samples and key == "sample_after":
                ledger.drop(key, f"we draw by epochs, not by {unit[:20].lower()}")
            else:
                ledger.idle(key, "no samples are drawn")
        return
    first = samples[0]
    prompts = [str(ledger.read(f"{key}.prompt", text)) for key in samples]
    ledger.settle(f"{first}.prompt", "sampling.prompts", prompts, "in one list")
    ledger.settle("sample_after", "sampling.every_epochs", int(after))
    ledger.translate("sample_after_unit", "with sample_after")
    for name, path, reader in (("negative_prompt", "negative", text), ("seed", "seed", number),
                               ("diffusion_steps", "steps", number), ("cfg_scale", "guidance", number)):  # fmt: skip
        value = ledger.read(f"{first}.{name}", reader)
        if value is not None:
            ledger.settle(f"{first}.{name}", f"sampling.{path}", int(value) if path in ("seed", "steps") else value)
    given = str(ledger.read(f"{first}.noise_scheduler", text, SAMPLERS.theirs("ddim")))
    known = SAMPLERS.ours(given)
    sampler = known or SAMPLERS.nearest(given)
    note = "" if known else f"{sampler} is the nearest that we have"
    ledger.settle(f"{first}.noise_scheduler", "sampling.sampler", sampler, note)
    for key in ledger.all_keys("samples["):
        if ledger.is_pending(key):
            ledger.idle(key, "the first sample's counts for all")


def _numbered(ledger: Ledger, name: str) -> list[str]:
    """`name[0]`, `name[1]` ... as far as they are there."""
    pattern = re.compile(rf"^({name}\[\d+\])\.")
    return list(dict.fromkeys(found[1] for key in ledger.all_keys(f"{name}[") if (found := pattern.match(key))))


def _concept(ledger: Ledger, key: str) -> _Concept | None:
    path = ledger.read(f"{key}.path", text)
    if not path or not ledger.read(f"{key}.enabled", flag, True):
        if path:
            ledger.drop(f"{key}.path", "the concept is switched off")
        return None
    if str(ledger.raw(f"{key}.type")) in ("VALIDATION", "PRIOR_PREDICTION"):
        ledger.drop(f"{key}.path", "we take no concepts of this type")
        return None
    given = ledger.read(f"{key}.balancing", number, ledger.read(f"{key}.repeats", number, 1.0))
    repeats = max(1, round(given))
    if given != repeats:
        ledger.contradict(f"{key}.balancing", f"our repeats are whole; {repeats} is taken")
    elif str(ledger.raw(f"{key}.balancing_strategy") or "REPEATS") != "REPEATS":
        ledger.contradict(f"{key}.balancing", "it counts pictures, ours are repeats: 1 is taken")
        repeats = 1
    name = ledger.read(f"{key}.name", text, "")
    return _Concept(key, path, name, repeats, ledger.read(f"{key}.loss_weight", number, 1.0))


def _settle_tag_dropout(ledger: Ledger, concepts: list[_Concept]) -> None:
    for place, concept in enumerate(concepts):
        key = f"{concept.key}.text.tag_dropout_"
        share = ledger.read(f"{key}probability", number, 0.0)
        is_on = ledger.read(f"{key}enable", flag, False)
        if not is_on or not share or place:
            for name in ("enable", "probability", "mode"):
                ledger.idle(key + name, "" if not place else "the first concept's counts")
            continue
        ledger.settle(f"{key}probability", "dataset.tag_dropout", share)
        ledger.translate(f"{key}enable", "dataset.tag_dropout says it")
        if str(ledger.raw(f"{key}mode")).upper() == "FULL":
            ledger.contradict(f"{key}mode", "all tags at once there; ours go one by one")
        else:
            ledger.idle(f"{key}mode")


def _settle_folders(ledger: Ledger, concepts: list[_Concept]) -> None:
    if not concepts:
        return
    first, root = concepts[0], _root(concepts)
    if root is None:
        for other in concepts[1:]:
            ledger.contradict(f"{other.key}.path", "we take pictures from one folder: move them together")
        concepts, root = [first], first.place
    ledger.settle(f"{first.key}.path", "dataset.images", first.path if root == first.place else str(root),
                  "" if root == first.place else "the folder that they are all in")  # fmt: skip
    for other in concepts[1:]:
        ledger.translate(f"{other.key}.path", "below the same folder")
    repeats = {concept.repeats for concept in concepts}
    if len(repeats) == 1:
        ledger.settle(_repeats_key(ledger, first), "dataset.repeats", repeats.pop(), "")
    else:
        base = next((concept for concept in concepts if concept.place == root), None)
        listed = [{"path": concept.place.relative_to(root).as_posix(), "repeats": concept.repeats}
                  for concept in concepts if concept is not base]  # fmt: skip
        ledger.settle(_repeats_key(ledger, first), "dataset.folders", listed, "each folder has its own")
        if base is not None:
            ledger.imply("dataset.repeats", base.repeats)
    names = {concept.name for concept in concepts if concept.name}
    if len(names) == 1:
        ledger.settle(f"{first.key}.name", "run.trigger", names.pop(), "the concept's name")
    for concept in concepts:
        for name in ("name", "balancing", "repeats", "loss_weight"):
            if ledger.is_pending(f"{concept.key}.{name}"):
                ledger.idle(f"{concept.key}.{name}", "with its folder")


def _repeats_key(ledger: Ledger, concept: _Concept) -> str:
    return next((f"{concept.key}.{name}" for name in ("balancing", "repeats") if ledger.has(f"{concept.key}.{name}")),
                f"{concept.key}.path")  # fmt: skip


def _root(concepts: list[_Concept]) -> PurePosixPath | None:
    """One of the concepts' folders, or one around such, that all are in; None: there is none but the root of all."""
    places = [concept.place for concept in concepts]
    candidates = {*places, *(place.parent for place in places)}
    fitting = [folder for folder in candidates
               if folder.name and all(place.is_relative_to(folder) for place in places)]  # fmt: skip
    return max(fitting, key=lambda folder: len(folder.parts), default=None)
