"""The questions of the interview in their order, and how each answer changes the state."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from advisor.errors import ConfigError, LoraError, ModelError
from advisor.machine.cards import card_named
from advisor.settings.texts import line_fault
from wizard.interview import questions as q
from wizard.interview.drawing.drawing_questions import DRAWING_STEPS
from wizard.interview.flow import Apply, InterviewState, Probes, Step
from wizard.interview.machine_options import vram_bytes
from wizard.interview.names import checked_name, proposed_name
from wizard.interview.paths import absolute_path
from wizard.interview.pictures.picture_step import PICTURE_STEP
from wizard.interview.preset_questions import (
    RULES_ALONE,
    WANDB_KEY,
    WANDB_PROJECT,
    counted_preset,
    preset_text,
    project_question,
    start_question,
)
from wizard.interview.questions import Option, Question
from wizard.show.base_models import base_model_notes, base_models_text
from wizard.show.findings import IDENTITY_KINDS, dataset_text, gpu_text, identity_text, machine_text, trigger_text

if TYPE_CHECKING:
    from advisor.checkpoints.identity import Identity
    from advisor.families.part_files import PartKind


def _apply_images(state: InterviewState, probes: Probes, answer: str) -> tuple[InterviewState, str]:
    report = probes.scan(answer)
    return replace(state.with_answer("images", report.root), report=report), dataset_text(report)


def _apply_model(state: InterviewState, probes: Probes, answer: str) -> tuple[InterviewState, str]:
    identity = trainable_base(probes.identify(answer))
    told = "\n".join(filter(None, (identity_text(identity), base_model_notes(identity))))
    return replace(state.with_answer("model", identity.path), identity=identity), told


def _ask_model(state: InterviewState, probes: Probes) -> Question:  # noqa: ARG001
    return replace(q.MODEL, intro=base_models_text())


def _part_step(kind: PartKind) -> Step:
    """Asks where a part of the base model lies that is a file of its own, where it was neither found nor chosen."""
    key = q.PART_KEYS[kind]

    def ask(state: InterviewState, probes: Probes) -> Question | None:  # noqa: ARG001
        parts = state.identity.part_files if state.identity else ()
        missing = next((part for part in parts if part.kind == kind and part.path is None), None)
        if missing is None or f"model.{key}" in state.settings:
            return None
        return q.part_question(kind, missing.title, missing.to_get)

    def apply(state: InterviewState, probes: Probes, answer: str) -> tuple[InterviewState, str]:
        assert state.identity is not None
        path = absolute_path(answer)
        if fault := probes.why_not_part(state.identity, kind, str(path)):
            raise ModelError(fault)
        return state.with_answer(key, str(path)), ""

    return Step(key, ask, apply)


def trainable_base(identity: Identity) -> Identity:
    """`identity` itself, if it is a base model that a LoRA can be trained on.

    Raises:
        ModelError: it is something else, or of a family that cannot be trained.
    """
    if identity.kind != "checkpoint":
        mend = "give the full model (checkpoint) that pictures are made with"
        raise ModelError(f"{identity.path} is {IDENTITY_KINDS[identity.kind]}, not a base model: {mend}")
    if not identity.trainable:
        why = identity.why_not or "this kind of model cannot be trained yet: choose an SD1.x base model"
        raise ModelError(f"{identity.path}: {why}")
    return identity


def _ask_prediction(state: InterviewState, probes: Probes) -> Question | None:  # noqa: ARG001
    identity = state.identity
    if identity is None or identity.prediction is not None or "model.prediction" in state.settings:
        return None
    return q.PREDICTION if identity.family in q.PREDICTION_DOUBTFUL else None


def _ask_lineage(state: InterviewState, probes: Probes) -> Question | None:  # noqa: ARG001
    identity = state.identity
    options = q.LINEAGES.get(identity.family or "") if identity else None
    if identity is None or options is None or "model.lineage" in state.settings:
        return None
    known = identity.lineage in {option.value for option in options}
    text = "Which of these does the model come from?"
    if known and identity.lineage_reason:
        text = f"Which of these does the model come from? (A guess: {identity.lineage_reason}.)"
    return Question("lineage", text, "choice", options=options, default=str(identity.lineage) if known else "none")


def _ask_name(state: InterviewState, probes: Probes) -> Question:  # noqa: ARG001
    if state.report is None:
        return q.NAME
    concepts = tuple(folder.concept for folder in state.report.folders if folder.concept)
    return replace(q.NAME, default=proposed_name(state.report.root, concepts))


def _apply_name(state: InterviewState, probes: Probes, answer: str) -> tuple[InterviewState, str]:  # noqa: ARG001
    return state.with_answer("name", checked_name(answer)), ""


def _ask_trigger(state: InterviewState, probes: Probes) -> Question:  # noqa: ARG001
    """Proposes the word that most captions begin with; else the LoRA's name."""
    found = state.report.likely_trigger if state.report else ""
    return replace(q.TRIGGER, default=found or state.answers.get("name", ""))


def _apply_trigger(state: InterviewState, probes: Probes, answer: str) -> tuple[InterviewState, str]:  # noqa: ARG001
    return state.with_answer("trigger", checked_trigger(answer) or state.answers["name"]), ""


def _ask_prepend_trigger(state: InterviewState, probes: Probes) -> Question | None:
    """Offers to put a character's trigger in front of captions that lack it."""
    if state.report is None or state.answers.get("subject") == "style" or "dataset.prepend_trigger" in state.settings:
        return None
    report = state.report if probes.pictures is None else probes.pictures(state).report()
    lacking = trigger_text(report, state.answers["trigger"])
    return replace(q.PREPEND_TRIGGER, intro=lacking) if lacking else None


def checked_trigger(text: str) -> str:
    """The trigger word without surrounding blanks.

    Raises:
        ConfigError: it holds a comma, the end of a line, or letters that nobody sees.
    """
    word = text.strip()
    if "," in word:
        raise ConfigError("trigger", word, "a comma would make several tags of it: give one word")
    if (fault := line_fault(word)) is not None:
        raise ConfigError("trigger", word, fault)
    return word


def _ask_machine(state: InterviewState, probes: Probes) -> Question:  # noqa: ARG001
    hardware = probes.probe()
    cpu = f"{hardware.cpu_name or 'the processor'}, {hardware.cpu_threads} threads"
    other = Option("other", "Plan for a card in another machine")
    intro = "\n".join((machine_text(hardware), *hardware.notes))
    if not hardware.gpus:
        yes = Option("cpu", f"Yes, train on the processor, which takes hours or days ({cpu})")
        text = "No usable graphics card was found. Train on the processor?"
        return Question("machine", text, "choice", options=(other, yes), intro=intro)
    gpus = tuple(Option(f"gpu:{gpu.index}", gpu_text(gpu)) for gpu in hardware.gpus)
    options = (*gpus, other, Option("cpu", f"On the processor, many times slower ({cpu})"))
    main = hardware.main_gpu
    default = f"gpu:{main.index}" if main else ""
    return Question("machine", "Which card shall train it?", "choice", options=options, default=default, intro=intro)


def _ask_card(state: InterviewState, probes: Probes) -> Question | None:  # noqa: ARG001
    return q.CARD if state.answers.get("machine") == "other" else None


def _apply_card(state: InterviewState, probes: Probes, answer: str) -> tuple[InterviewState, str]:  # noqa: ARG001
    name = answer.strip()
    return state.with_answer("card", name), card_named(name, else_do=q.BY_MEMORY).short_name if name else ""


def _is_unnamed_card(state: InterviewState) -> bool:
    return state.answers.get("machine") == "other" and not state.answers.get("card")


def _ask_vram(state: InterviewState, probes: Probes) -> Question | None:
    return q.VRAM if _is_unnamed_card(state) or _has_unknown_vram(state, probes) else None


def _has_unknown_vram(state: InterviewState, probes: Probes) -> bool:
    """Whether the driver did not report the chosen GPU's memory, as some of AMD's and Intel's do not."""
    chosen = state.answers.get("machine", "").removeprefix("gpu:")
    return any(str(gpu.index) == chosen and gpu.total_bytes <= 0 for gpu in probes.probe().gpus)


def _apply_vram(state: InterviewState, probes: Probes, answer: str) -> tuple[InterviewState, str]:  # noqa: ARG001
    vram_bytes(answer)  # raises where it is no size
    return state.with_answer("vram", answer), ""


def _ask_generation(state: InterviewState, probes: Probes) -> Question | None:  # noqa: ARG001
    return q.GENERATION if _is_unnamed_card(state) else None


def _ask_preset(state: InterviewState, probes: Probes) -> Question | None:
    return None if "preset" in state.answers else start_question(probes.presets())


def _apply_preset(state: InterviewState, probes: Probes, answer: str) -> tuple[InterviewState, str]:
    message = ""
    if answer != RULES_ALONE:
        message = preset_text(counted_preset(probes.preset(answer), {*state.answers, WANDB_KEY}, state.settings))
    return state.with_answer("preset", answer), message


def _ask_project(state: InterviewState, probes: Probes) -> Question | None:
    """Whether the preset's project of Weights & Biases is sent to, where it has one and none was chosen."""
    file = state.answers.get("preset", RULES_ALONE)
    if file == RULES_ALONE or WANDB_PROJECT in state.settings:
        return None
    try:
        return project_question(probes.preset(file))
    except LoraError:  # is told where the plan is made
        return None


def _fixed_step(question: Question) -> Step:
    """A step that always asks the same question and stores the answer as it is."""
    return Step(question.key, lambda _state, _probes: question, _storing(question.key))


def _storing(key: str) -> Apply:
    """Stores the answer as it is, without a message."""
    return lambda state, _probes, answer: (state.with_answer(key, answer), "")


STEPS: tuple[Step, ...] = (
    _fixed_step(q.SUBJECT),
    Step("images", lambda _state, _probes: q.IMAGES, _apply_images),
    Step("model", _ask_model, _apply_model),
    _part_step("text_encoder"),
    _part_step("vae"),
    Step("prediction", _ask_prediction, _storing("prediction")),
    Step("lineage", _ask_lineage, _storing("lineage")),
    Step("name", _ask_name, _apply_name),
    Step("trigger", _ask_trigger, _apply_trigger),
    Step(q.PREPEND_TRIGGER.key, _ask_prepend_trigger, _storing(q.PREPEND_TRIGGER.key)),
    PICTURE_STEP,
    Step("machine", _ask_machine, _storing("machine")),
    Step("card", _ask_card, _apply_card),
    Step("vram", _ask_vram, _apply_vram),
    Step("generation", _ask_generation, _storing("generation")),
    Step("preset", _ask_preset, _apply_preset),
    Step(WANDB_KEY, _ask_project, _storing(WANDB_KEY)),
    *DRAWING_STEPS,
)
"""What is learned, from which images, on which base model, its names, what was found of the images, the machine, the
preset to start from, whether its project of Weights & Biases is sent to, and whether pictures are drawn."""
