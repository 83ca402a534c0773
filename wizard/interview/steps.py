"""The questions in the order a person thinks, and what each answer leads to."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from wizard.interview import questions as q
from wizard.interview.flow import Step, Talk, World
from wizard.interview.questions import Option, Question

if TYPE_CHECKING:
    from advisor.facts import Facts
    from wizard.interview.machine_options import Machine


def _take_images(talk: Talk, world: World, answer: str) -> tuple[Talk, str]:
    from wizard.show.findings import dataset_text

    report = world.scan(answer)
    return replace(talk.saying("images", report.root), report=report), dataset_text(report)


def _take_model(talk: Talk, world: World, answer: str) -> tuple[Talk, str]:
    from wizard.interview.base_model import trainable_base
    from wizard.show.findings import identity_text

    identity = trainable_base(world.identify(answer))
    return replace(talk.saying("model", identity.path), identity=identity), identity_text(identity)


def _ask_prediction(talk: Talk, world: World) -> Question | None:  # noqa: ARG001
    identity = talk.identity
    if identity is None or identity.prediction is not None or "model.prediction" in talk.settings:
        return None
    return q.PREDICTION if identity.family in q.PREDICTION_DOUBTFUL else None


def _ask_lineage(talk: Talk, world: World) -> Question | None:  # noqa: ARG001
    identity = talk.identity
    options = q.LINEAGES.get(identity.family or "") if identity else None
    if identity is None or options is None or "model.lineage" in talk.settings:
        return None
    known = identity.lineage in {option.value for option in options}
    text = "Which of these does the model come from?"
    if known and identity.lineage_reason:
        text = f"Which of these does the model come from? (A guess: {identity.lineage_reason}.)"
    return Question("lineage", text, "choice", options=options, default=str(identity.lineage) if known else "none")


def _ask_name(talk: Talk, world: World) -> Question:  # noqa: ARG001
    from wizard.interview.names import proposed_name

    if talk.report is None:
        return q.NAME
    concepts = tuple(folder.concept for folder in talk.report.folders if folder.concept)
    return replace(q.NAME, default=proposed_name(talk.report.root, concepts))


def _take_name(talk: Talk, world: World, answer: str) -> tuple[Talk, str]:  # noqa: ARG001
    from wizard.interview.names import checked_name

    return talk.saying("name", checked_name(answer)), ""


def _ask_trigger(talk: Talk, world: World) -> Question:  # noqa: ARG001
    """Proposed is what the captions begin with already, unless that is a word like any other tag; else the name."""
    found = talk.report.common_first_tag if talk.report else ""
    proposed = "" if found in COMMON_FIRST_TAGS else found
    return replace(q.TRIGGER, default=proposed or talk.said.get("name", ""))


COMMON_FIRST_TAGS = ("1girl", "1boy", "1other", "solo", "masterpiece", "girl", "boy", "woman", "man")
"""What taggers put in front of everything; no trigger."""


def _take_trigger(talk: Talk, world: World, answer: str) -> tuple[Talk, str]:  # noqa: ARG001
    from wizard.show.findings import trigger_text

    word = checked_trigger(answer) or talk.said["name"]
    told = trigger_text(talk.report, word) if talk.report else ""
    return talk.saying("trigger", word), told


def checked_trigger(text: str) -> str:
    """The trigger word without blanks around it.

    Raises:
        ConfigError: it cannot stand in a caption.
    """
    from advisor.errors import ConfigError

    word = text.strip()
    if "," in word or re.search(r"[\x00-\x1f]", word):
        raise ConfigError("trigger", word, "a comma would make several tags of it: give one word")
    return word


def _ask_machine(talk: Talk, world: World) -> Question:  # noqa: ARG001
    from wizard.show.findings import gpu_text, machine_text

    hardware = world.probe()
    processor = f"{hardware.cpu_name or 'the processor'}, {hardware.cpu_threads} threads"
    other = Option("other", "Plan for a card in another machine")
    intro = "\n".join((machine_text(hardware), *hardware.notes))
    if not hardware.gpus:
        yes = Option("cpu", f"Yes, train on the processor, which takes hours or days ({processor})")
        text = "No usable graphics card was found. Train on the processor?"
        return Question("machine", text, "choice", options=(other, yes), intro=intro)
    cards = tuple(Option(f"gpu:{gpu.index}", gpu_text(gpu)) for gpu in hardware.gpus)
    options = (*cards, other, Option("cpu", f"On the processor, many times slower ({processor})"))
    main = hardware.main_gpu
    default = f"gpu:{main.index}" if main else ""
    return Question("machine", "Which card shall train it?", "choice", options=options, default=default, intro=intro)


def _ask_vram(talk: Talk, world: World) -> Question | None:
    return q.VRAM if talk.said.get("machine") == "other" or _is_unmeasured(talk, world) else None


def _is_unmeasured(talk: Talk, world: World) -> bool:
    """Whether the chosen card's memory is unknown, as with some drivers of AMD and Intel."""
    chosen = talk.said.get("machine", "").removeprefix("gpu:")
    return any(str(gpu.index) == chosen and gpu.total_bytes <= 0 for gpu in world.probe().gpus)


def _take_vram(talk: Talk, world: World, answer: str) -> tuple[Talk, str]:  # noqa: ARG001
    from wizard.interview.machine_options import vram_bytes

    vram_bytes(answer)
    return talk.saying("vram", answer), ""


def _ask_generation(talk: Talk, world: World) -> Question | None:  # noqa: ARG001
    return q.GENERATION if talk.said.get("machine") == "other" else None


def _ask_preset(talk: Talk, world: World) -> Question | None:
    from wizard.interview.preset_questions import start_question

    return None if "preset" in talk.said else start_question(world.presets())


def _take_preset(talk: Talk, world: World, answer: str) -> tuple[Talk, str]:
    from wizard.interview.preset_questions import RULES_ALONE, preset_text

    told = "" if answer == RULES_ALONE else preset_text(world.preset(answer))
    return talk.saying("preset", answer), told


def _kept(talk: Talk, key: str, answer: str) -> tuple[Talk, str]:
    return talk.saying(key, answer), ""


STEPS: tuple[Step, ...] = (
    Step("subject", lambda _talk, _world: q.SUBJECT, lambda talk, _world, answer: _kept(talk, "subject", answer)),
    Step("images", lambda _talk, _world: q.IMAGES, _take_images),
    Step("model", lambda _talk, _world: q.MODEL, _take_model),
    Step("prediction", _ask_prediction, lambda talk, _world, answer: _kept(talk, "prediction", answer)),
    Step("lineage", _ask_lineage, lambda talk, _world, answer: _kept(talk, "lineage", answer)),
    Step("name", _ask_name, _take_name),
    Step("trigger", _ask_trigger, _take_trigger),
    Step("machine", _ask_machine, lambda talk, _world, answer: _kept(talk, "machine", answer)),
    Step("vram", _ask_vram, _take_vram),
    Step("generation", _ask_generation, lambda talk, _world, answer: _kept(talk, "generation", answer)),
    Step("preset", _ask_preset, _take_preset),
)
"""In the order a person thinks: what, from which pictures, on which model, by which name, where, and from what."""


def facts_of(talk: Talk, world: World, said_of_machine: Machine) -> Facts:
    """All that the plan is made from.

    Raises:
        HardwareError: the machine cannot be as it was said.
        LoraError: the preset cannot be read any more.
    """
    from advisor.answers import Answers
    from advisor.facts import Facts
    from advisor.settings.parse_value import parse_settings

    assert talk.report is not None
    assert talk.identity is not None
    hardware = machine_of(talk, said_of_machine).applied(world.probe())
    chosen = {f"model.{key}": talk.said[key] for key in ("prediction", "lineage") if key in talk.said}
    if chosen.get("model.lineage") == "none" and talk.identity.lineage is None:
        del chosen["model.lineage"]  # nothing was guessed, and nothing is known: no choice was made
    answers = Answers(
        name=talk.said["name"],
        trigger=talk.said["trigger"],
        subject=talk.said["subject"],  # type: ignore[arg-type]
        advice=talk.said.get("advice", "tutorial"),  # type: ignore[arg-type]
        use_cpu=talk.said.get("machine") == "cpu" or hardware.main_gpu is None,
        settings=parse_settings({**chosen, **talk.settings}),
    )
    from wizard.interview.preset_questions import RULES_ALONE

    file = talk.said.get("preset", RULES_ALONE)
    preset = None if file == RULES_ALONE else world.preset(file)
    return Facts(hardware, talk.report, talk.identity, answers, preset, world.receipts())


def machine_of(talk: Talk, said: Machine) -> Machine:
    """What the talk says of the machine, beside what the command line said."""
    chosen, vram = talk.said.get("machine", ""), talk.said.get("vram")
    if chosen == "other":
        generation = talk.said.get("generation") or said.compute_capability
        return replace(said, vram=vram, compute_capability=generation, gpu=None)
    if chosen.startswith("gpu:"):
        return replace(said, gpu=int(chosen.removeprefix("gpu:")), vram=vram)
    return replace(said, vram=None, compute_capability=None) if chosen == "cpu" else said
