"""Import of OneTrainer's concepts (folders of images with repeats and captions) and samples."""

from __future__ import annotations

import re
from dataclasses import dataclass

from templates.importing.ledger import Ledger
from templates.importing.named_folders import ForeignFolder, settle_class_images, settle_images
from templates.importing.readers import flag, number, text
from templates.onetrainer.defaults import DEFAULTS
from templates.onetrainer.words import EPOCH, NEVER, REGULARIZATION, SAMPLERS

CONCEPT_KEYS = {
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
    subfolders: bool

    @property
    def folder(self) -> ForeignFolder:
        return ForeignFolder(f"{self.key}.path", self.path, self.repeats, subfolders=self.subfolders)


def settle_concepts(ledger: Ledger) -> None:
    """Folders, repeats and captions."""
    found = [concept for key in _numbered(ledger, "concepts") if (concept := _concept(ledger, key)) is not None]
    regular = [concept for concept in found if concept.name == REGULARIZATION]
    own = [concept for concept in found if concept not in regular]
    if regular:
        settle_class_images(ledger, [concept.folder for concept in regular])
        note = "the concept of that name"
        ledger.settle(f"{regular[0].key}.loss_weight", "loss.prior_weight", regular[0].weight, note)
    for name, (path, reader) in CONCEPT_KEYS.items():
        ledger.settle_alike([f"{concept.key}.{name}" for concept in own], path, reader, DEFAULTS[path])
    _settle_crops(ledger, own)
    _settle_tag_dropout(ledger, own)
    _settle_folders(ledger, own)
    trained = tuple(f"{concept.key}." for concept in own)
    for key in ledger.all_keys("concepts["):
        if not ledger.is_pending(key):
            continue
        if key.rpartition(".")[2] in RECORDED or not key.startswith(trained):
            ledger.idle(key)
        elif ledger.has(key) and ledger.raw(key) not in (False, 0, 0.0, 1.0, {}):
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
    weight = ledger.read(f"{key}.loss_weight", number, 1.0)
    subfolders = ledger.read(f"{key}.include_subdirectories", flag, False)
    return _Concept(key, path, name, repeats, weight, subfolders)


def _settle_crops(ledger: Ledger, concepts: list[_Concept]) -> None:
    """Jittered crops are cached as they fall, once; only without a cache is each another."""
    key = "image.enable_crop_jitter"
    caches = ledger.settings.get("memory.cache_latents", DEFAULTS["memory.cache_latents"])
    if not caches:
        ledger.settle_alike([f"{concept.key}.{key}" for concept in concepts], "dataset.random_crop", flag, True)
        if "dataset.random_crop" not in ledger.settings:
            ledger.imply("dataset.random_crop", True)
        return
    for concept in concepts:
        if ledger.read(f"{concept.key}.{key}", flag, False):
            ledger.translate(f"{concept.key}.{key}", "cached latents are cropped once, somewhere; ours in the middle")
        else:
            ledger.idle(f"{concept.key}.{key}")


def _settle_tag_dropout(ledger: Ledger, concepts: list[_Concept]) -> None:
    shares = {concept: _tag_dropout(ledger, concept) for concept in concepts}
    alike = len(set(shares.values())) == 1
    for place, (concept, share) in enumerate(shares.items()):
        key = f"{concept.key}.text.tag_dropout_"
        if alike and share and not place:
            ledger.settle(f"{key}probability", "dataset.tag_dropout", share)
            ledger.translate(f"{key}enable", "dataset.tag_dropout says it")
        elif alike or not share:
            for name in ("enable", "probability"):
                ledger.idle(key + name, "the same for all folders" if share else "")
        else:
            ledger.contradict(
                f"{key}probability", "only some folders drop tags; ours is one for all pictures, and is 0"
            )
            ledger.idle(f"{key}enable")
        if alike and share and str(ledger.raw(f"{key}mode")).upper() == "FULL":
            ledger.contradict(f"{key}mode", "all tags at once there; ours go one by one")
        else:
            ledger.idle(f"{key}mode")


def _tag_dropout(ledger: Ledger, concept: _Concept) -> float:
    key = f"{concept.key}.text.tag_dropout_"
    share = ledger.read(f"{key}probability", number, 0.0)
    return float(share) if ledger.read(f"{key}enable", flag, False) else 0.0


def _settle_folders(ledger: Ledger, concepts: list[_Concept]) -> None:
    if not concepts:
        return
    settle_images(ledger, [concept.folder for concept in concepts])
    names = {concept.name for concept in concepts}
    if len(names) == 1 and (name := names.pop()):
        ledger.settle(f"{concepts[0].key}.name", "run.trigger", name, "the concept's name")
    for concept in concepts:
        if concept.weight != 1:
            ledger.contradict(f"{concept.key}.loss_weight", "all pictures count alike with us")
        for name in ("name", "balancing", "repeats", "loss_weight", "include_subdirectories"):
            if ledger.is_pending(f"{concept.key}.{name}"):
                ledger.idle(f"{concept.key}.{name}", "with its folder")
