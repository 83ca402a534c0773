"""A LoRA without a run, as from elsewhere: how pictures are drawn with it, and what is asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from advisor.answers import Answers
from advisor.checkpoints.identify import identify
from advisor.checkpoints.identity import Identity
from advisor.choosing.prompts import CLASS_TAGS, CaptionSet
from advisor.dataset.report import DatasetReport
from advisor.errors import ModelError
from advisor.facts import Facts
from advisor.json_text import Malformed, parse_json
from advisor.machine.hardware import Hardware
from advisor.rules import given, precision
from advisor.rules.rule import Rule
from advisor.settings.config import TrainingConfig, blank_config, changed, with_values
from advisor.shown_text import seen_line
from advisor.tensor_files.header import read_header

RULES: tuple[Rule, ...] = (
    given.prediction, given.lineage, given.clip_skip, given.zero_terminal_snr, given.preset, precision.compute_dtype,
)  # fmt: skip
"""What of a plan shows in a picture of the base model."""
TRIGGER_KEY, TAGS_KEY, CLIP_SKIP_KEY = "modelspec.trigger_phrase", "ss_tag_frequency", "ss_clip_skip"
MOST_CAPTIONS = 500
"""So many are made of the counts of tags."""


def lone_lora(path: Path) -> tuple[Identity, Mapping[str, str]]:
    """A LoRA file and its metadata.

    Raises:
        ModelError: it cannot be read, or is no LoRA.
    """
    identity = identify(path)
    if identity.kind != "lora":
        raise ModelError(f"{path} is no LoRA but of the kind {identity.kind}: name a LoRA's file or a run folder")
    return identity, read_header(path).metadata


def base_model(path: Path, lora: Identity) -> Identity:
    """The base model to draw with.

    Raises:
        ModelError: it cannot be drawn with, or the LoRA is for another family.
    """
    base = identify(path)
    if base.kind != "checkpoint" or base.structure is None:
        raise ModelError(f"--model {path} is no base model but: {base.kind}; name a checkpoint or diffusers folder")
    if not base.trainable:
        raise ModelError(f"--model {path} cannot be drawn with here: {base.why_not}")
    if lora.family not in (None, base.family):
        raise ModelError(
            f"{lora.path} is for {lora.family}, and the base model {path} is {base.family}: name a base model of the "
            "LoRA's family"
        )
    return base


def lone_config(
    lora: Identity, base: Identity, metadata: Mapping[str, str], hardware: Hardware, *, use_cpu: bool
) -> TrainingConfig:
    """How pictures are drawn with it: the base model's own settings, at its own size."""
    facts = Facts(hardware, DatasetReport("", (), ()), base, Answers(name="lora", use_cpu=use_cpu))
    config = blank_config(model=base.path, family=base.family or "")
    for rule in RULES:
        advice = rule.judge(facts, config)
        config = config if advice is None else changed(config, rule.sets, advice.value)
    assert base.structure is not None
    given_values: dict[str, object] = {
        "dataset.resolution_px": base.structure.native_px,
        "run.trigger": trigger_of(metadata),
    }
    if metadata.get(CLIP_SKIP_KEY) in ("1", "2") and base.family == "sd1":
        given_values["model.clip_skip"] = int(metadata[CLIP_SKIP_KEY])
    return with_values(config, {**given_values, "network.rank": lora.rank or 32, "network.alpha": 1.0})


def trigger_of(metadata: Mapping[str, str]) -> str:
    """The word that calls it up: as it says itself, else the tag that most of its captions had; empty: unknown."""
    if told := seen_line(metadata.get(TRIGGER_KEY, "").split(",")[0]):
        return told
    counts = tag_counts(metadata)
    most = max(counts.values(), default=0)
    often = (tag for tag, count in counts.items() if count >= 0.9 * most and tag not in CLASS_TAGS)
    return next(filter(None, map(seen_line, often)), "")


def tag_counts(metadata: Mapping[str, str]) -> dict[str, int]:
    """How many captions had each tag, as kohya's metadata tell it, the most frequent first."""
    try:
        folders = parse_json(metadata.get(TAGS_KEY, "{}"))
    except Malformed:
        return {}
    counts = dict[str, int]()
    for folder in folders.values() if isinstance(folders, dict) else ():
        for tag, count in folder.items() if isinstance(folder, dict) else ():
            if isinstance(count, int) and count > 0 and tag.strip():
                counts[tag.strip()] = counts.get(tag.strip(), 0) + count
    return dict(sorted(counts.items(), key=lambda one: -one[1]))


def captions_of(metadata: Mapping[str, str], trigger: str) -> CaptionSet:
    """Captions in which each tag is as frequent as in those that it was trained on: which tags stood together is not
    told.
    """
    counts = tag_counts(metadata)
    most = max(counts.values(), default=0)
    number = min(most, MOST_CAPTIONS)
    captions = tuple(
        ", ".join(tag for tag, count in counts.items() if count * number > index * most) for index in range(number)
    )
    return CaptionSet(captions, trigger, are_tags=True)
