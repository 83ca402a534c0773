"""What is trained, on what: the interview's answers and what was found, as settings."""

from __future__ import annotations

from pathlib import Path

from advisor.dataset.captions import CaptionReader
from advisor.facts import Facts
from advisor.families.part_files import PartKind
from advisor.rules.card_class import preset_of
from advisor.rules.defaults_table import NAI_LIKE, WITHOUT_TUTORIAL, defaults_for
from advisor.rules.rule import Advice, rule
from advisor.rules.sources import (
    CIVITAI,
    KOHYA_GUI,
    OURS,
    SD_SCRIPTS,
    THE_IMAGES,
    THE_MODEL,
    THE_USER,
    TUTORIAL,
    V_PREDICTION,
    ZERO_SNR,
)
from advisor.settings.config import TrainingConfig
from advisor.units import counted, gib


@rule(sets="run.subject", source=THE_USER)
def subject(facts: Facts, _: TrainingConfig) -> Advice:
    """What the user said is learned."""
    meaning = {
        "character": "a character: one face and costume, called up by the trigger word",
        "style": "a style: how pictures are made, whatever they show",
    }
    return Advice(facts.answers.subject, meaning[facts.answers.subject], origin="answer")


@rule(sets="run.goal", source=THE_USER)
def goal(facts: Facts, _: TrainingConfig) -> Advice:
    """What the user said matters more."""
    if facts.answers.goal == "flexible":
        wanted = "new outfits and scenes come before likeness: a step less of rank, where there is one"
        return Advice("flexible", wanted, TUTORIAL, origin="answer")
    return Advice("exact", "as close to your pictures as it can be", OURS, origin="default")


@rule(sets="run.trigger", source=THE_USER)
def trigger(facts: Facts, config: TrainingConfig) -> Advice:
    """The word that calls the LoRA up."""
    word, lines = facts.answers.trigger_word, CaptionReader(config.dataset.caption_lines)
    found, captioned = facts.dataset.num_with_trigger(word, lines), facts.dataset.num_captioned
    reason = f"{word!r} stands in {found:,} of {counted(captioned, 'caption')}"
    if not facts.answers.trigger.strip():
        return Advice(word, f"the LoRA's name, since no other word was given; {reason}", origin="default")
    return Advice(word, reason, origin="answer")


@rule(sets="run.advice", source=THE_USER)
def advice(facts: Facts, _: TrainingConfig) -> Advice:
    """Whose rules of thumb are followed."""
    chosen = facts.answers.advice
    same = WITHOUT_TUTORIAL.get(facts.model.family or "")
    if same is not None:
        return Advice(chosen, same, OURS, origin="answer" if chosen == "current" else "default")
    if chosen == "current":
        return Advice(chosen, "you asked for what most train with today: higher rates, lower ranks", origin="answer")
    meaning = "the beginners' tutorial: slow rates that forgive mistakes, ranks by pictures"
    return Advice(chosen, meaning, TUTORIAL, origin="default")


@rule(sets="model.path", source=THE_USER)
def model_path(facts: Facts, _: TrainingConfig) -> Advice:
    """The base model named."""
    return Advice(facts.model.path, "the base model you named; the LoRA learns what differs from it", origin="answer")


@rule(sets="model.family", source=THE_MODEL)
def model_family(facts: Facts, _: TrainingConfig) -> Advice:
    """The architecture, read from the header."""
    return Advice(facts.model.family, "read from the shapes of the model's own tensors, not from its name")


@rule(sets="model.prediction", source=V_PREDICTION)
def prediction(facts: Facts, _: TrainingConfig) -> Advice:
    """What the base predicts; trained as something else there is no error, only empty pictures."""
    found = facts.model.prediction
    if found is not None:
        basis = facts.model.prediction_reason or "the model's own header"
        return Advice(found, f"told by {basis}; trained as anything else the pictures come out empty")
    return Advice("epsilon", "no mark of v-prediction in the file; nearly all bases without one predict the noise")


@rule(sets="model.lineage", source=THE_MODEL)
def lineage(facts: Facts, _: TrainingConfig) -> Advice:
    """Which well-known base it descends from."""
    found = facts.model.lineage
    if found is None:
        return Advice(None, "neither metadata nor name tell a lineage: ruled as a general base")
    where = facts.model.lineage_reason or f"its name or metadata say {found}"
    return Advice(found, where if "model.lineage" in facts.answers.settings else f"{where}; say so if that is wrong")


@rule(sets="model.clip_skip", source=CIVITAI)
def clip_skip(_: Facts, config: TrainingConfig) -> Advice:
    """2 where the base learned its text so, as NovelAI's model did."""
    fixed = defaults_for(config).fixed_clip_skip
    if fixed is not None:
        title = defaults_for(config).title
        return Advice(fixed, f"{title} reads its text from one layer by its make; nothing to choose", SD_SCRIPTS)
    if config.model.lineage in NAI_LIKE:
        return Advice(2, f"{config.model.lineage} bases read the text from the last layer but one, as NovelAI's did")
    return Advice(1, "the last layer, as Stable Diffusion 1.x was taught; 2 is for bases that descend from NovelAI's")


@rule(sets="model.vae_path", source=THE_MODEL)
def vae_path(facts: Facts, _: TrainingConfig) -> Advice:
    """The one found for a base model whose VAE is a file of its own; else only where the user names one."""
    found = _part_found(facts, "vae")
    if found is not None:
        return found
    has_one = "vae" in facts.model.parts
    return Advice(None, "the base model brings its own VAE" if has_one else "no other VAE was named", origin="default")


@rule(sets="model.text_encoder_path", source=THE_MODEL)
def text_encoder_path(facts: Facts, _: TrainingConfig) -> Advice:
    """The one found for a base model whose text encoder is a file of its own."""
    found = _part_found(facts, "text_encoder")
    return found or Advice(None, "the base model brings its own text encoder", origin="default")


def _part_found(facts: Facts, kind: PartKind) -> Advice | None:
    """What was found beside the base model; None where its family has no such file."""
    part = next((part for part in facts.model.part_files if part.kind == kind), None)
    if part is None:
        return None
    if part.path is None:
        return Advice(None, f"no {part.title} was found beside the base model: get {part.to_get}", origin="default")
    others = f"; {counted(len(part.others), 'other file')} would do too" if part.others else ""
    if part.path == str(Path(facts.model.path).absolute()):
        return Advice(part.path, f"the base model's own file has its {part.title}{others}")
    return Advice(part.path, f"the {part.title} found nearest to the base model{others}")


@rule(sets="loss.zero_terminal_snr", source=ZERO_SNR)
def zero_terminal_snr(facts: Facts, config: TrainingConfig) -> Advice:
    """With the mark `ztsnr`, and for NoobAI's v-prediction; never where the noise is predicted."""
    if config.model.prediction != "v_prediction":
        return Advice(False, f"it needs v-prediction, and this base predicts {config.model.prediction}")
    if config.model.lineage == "noobai":
        return Advice(True, "NoobAI's v-prediction base was trained on a schedule that ends in pure noise", OURS)
    if facts.model.zero_terminal_snr:
        return Advice(True, "the file carries the mark ztsnr: its schedule ends in pure noise")
    return Advice(False, "no mark ztsnr: this base's schedule keeps a trace of the picture at its end, as 2.1's does")


@rule(sets="dataset.images", source=THE_USER)
def images(facts: Facts, _: TrainingConfig) -> Advice:
    """The folder named."""
    found = counted(facts.dataset.num_images, "usable picture")
    return Advice(facts.dataset.root, f"your folder: {found}; it is only read", origin="answer")


@rule(sets="dataset.folders", source=KOHYA_GUI)
def folders(facts: Facts, _: TrainingConfig) -> Advice:
    """Kohya's `N_name` folders keep their N."""
    own = [folder for folder in facts.dataset.folders if folder.repeats is not None]
    value = tuple({"path": folder.path, "repeats": folder.repeats} for folder in own)
    if not own:
        return Advice((), "no folder is named N_name: all pictures get the same repeats", THE_IMAGES)
    named = ", ".join(f"{folder.path} {folder.repeats} times" for folder in own[:3])
    return Advice(value, f"your folders' own names say so: {named}", origin="answer")


@rule(sets="saving.name", source=THE_USER)
def saving_name(facts: Facts, _: TrainingConfig) -> Advice:
    """The name given."""
    return Advice(facts.answers.name, f"the name you gave: files are {facts.answers.name}.safetensors", origin="answer")


@rule(sets="memory.preset", source=TUTORIAL)
def preset(facts: Facts, _: TrainingConfig) -> Advice:
    """The class of card, by its total memory."""
    gpu, value = facts.gpu, preset_of(facts.gpu)
    if gpu is None:
        return Advice(value, f"no card is used: {facts.hardware.cpu_cores} cores of the processor train, slowly", OURS)
    bounds = {"low": "under 7.5 GiB", "medium": "8 GB and more", "high": "12 GB and more"}
    source = OURS if value == "low" else TUTORIAL
    return Advice(value, f"{gib(gpu.total_bytes)} of memory in all: {bounds.get(value, value)} means {value}", source)


RULES = (
    subject, goal, trigger, advice, model_path, model_family, prediction, lineage, clip_skip, vae_path,
    text_encoder_path,    zero_terminal_snr, images, folders, saving_name, preset,
)  # fmt: skip
"""In this order: the column of the tables depends on the first ones."""
