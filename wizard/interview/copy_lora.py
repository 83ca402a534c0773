"""After the training: how to use the LoRA in a prompt, and the questions about copying it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from advisor.errors import LoraError
from advisor.families.family import Family
from advisor.files import is_folder, is_there
from templates.report.usage import WEIGHT
from wizard.interview.lora_folders import Program, program_of
from wizard.interview.paths import given_path
from wizard.interview.questions import BACK, Ask, Option, Question, replace_question

OTHER, NOWHERE = "other", "no"


IN_PROMPT: tuple[Program, ...] = ("A1111", "Forge", "SD.Next", "SwarmUI")
"""Programs that take a LoRA by a tag in the prompt."""
STEPS: Mapping[Program, str] = {
    "ComfyUI": "put a node `Load LoRA` behind the one that loads the model, choose {name} in it, strength {weight}, "
    "and write the trigger word into the prompt: {trigger}",
    "Fooocus": "tick Advanced, choose {name} among the LoRAs of the tab Models, weight {weight}, and write the trigger "
    "word into the prompt: {trigger}",
    "InvokeAI": "add the file in the Model Manager, choose {name} in the field for LoRAs, weight {weight}, and write "
    "the trigger word into the prompt: {trigger}",
}
"""How the others take it."""


def usage(
    lora: str, trigger: str, program: Program | None = None, *, weight: float = WEIGHT, family: Family | None = None
) -> str:
    """How to draw with a LoRA file: where to choose it, with which weight, and the trigger word.

    Args:
        program: that it was copied to; None: not known, so that each kind is told.
        family: the base model's, which not every program draws with; None: one that all do.
    """
    name, tag = Path(lora).stem, f"<lora:{Path(lora).stem}:{weight:g}>"
    steps = {one: text.format(name=name, weight=f"{weight:g}", trigger=trigger) for one, text in STEPS.items()}
    in_prompt = f"put {tag} into your prompt, together with the trigger word: {tag} {trigger}"
    if program in steps:
        return f"In {program}, {steps[program]}"
    if program in IN_PROMPT:
        return f"In {program}, {in_prompt}"
    draws = [one for one in (*IN_PROMPT, *steps) if family is None or family.is_drawn_by(one)]
    *others, last = [one for one in IN_PROMPT if one in draws]
    shared = f"In {', '.join(others)} and {last}, {in_prompt}"
    return "\n".join((shared, *(f"In {one}, {text}" for one, text in steps.items() if one in draws)))


def offer_copy(
    ask: Ask, lora: Path, folders: tuple[Path, ...], copy: Callable[[Path, Path], None]
) -> Path | None:  # fmt: skip
    """Ask where to copy the LoRA, and copy it.

    Args:
        folders: the LoRA folders that were found, offered as options.
        copy: copies a file to a path.

    Returns:
        The folder that it was copied to; None: it was not copied.
    """
    options = tuple(Option(str(folder), _copy_to(folder)) for folder in folders)
    options += (Option(OTHER, "Copy to another folder ..."), Option(NOWHERE, "No, leave it in the run folder"))
    question = Question("copy_to", "Copy it to where your pictures are made?", "choice", options=options, back=False)
    while True:
        answer = ask(question)
        if answer in (NOWHERE, BACK):
            return None
        if answer == OTHER:
            answer = ask(
                Question(
                    "lora_folder", "Into which folder?", "folder", hint="of A1111, Forge, ComfyUI or another program"
                )
            )
            if answer == BACK or not answer.strip():
                continue
        folder = given_path(answer)
        if not is_folder(folder):
            ask.tell(f"{folder} is no folder that exists: choose another, or make it first.")
            continue
        target = folder / lora.name
        if is_there(target) and ask(replace_question(target.name)) != "yes":
            continue
        try:
            copy(lora, target)
        except LoraError as error:
            ask.tell(str(error))
            continue
        ask.tell(f"Copied to {target}")
        return folder


def _copy_to(folder: Path) -> str:
    program = program_of(folder)
    return f"Copy to {folder}" if program is None else f"Copy to {folder} ({program})"
