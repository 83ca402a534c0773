"""After the training: how to use the LoRA in a prompt, and the questions about copying it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from advisor.errors import LoraError
from wizard.interview.paths import given_path
from wizard.interview.questions import BACK, Ask, Option, Question, replace_question

WEIGHT = 0.8
"""A first weight to try; 1 is often too strong."""
OTHER, NOWHERE = "other", "no"


def usage(lora: str, trigger: str) -> str:
    """The message how to use a LoRA file in a prompt."""
    tag = f"<lora:{Path(lora).stem}:{WEIGHT}>"
    return f"Put {tag} into your prompt, together with the trigger word: {tag} {trigger}"


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
    options = tuple(Option(str(folder), f"Copy to {folder}") for folder in folders)
    options += (Option(OTHER, "Copy to another folder ..."), Option(NOWHERE, "No, leave it in the run folder"))
    question = Question("copy_to", "Copy it to where your pictures are made?", "choice", options=options, back=False)
    while True:
        answer = ask(question)
        if answer in (NOWHERE, BACK):
            return None
        if answer == OTHER:
            answer = ask(Question("lora_folder", "Into which folder?", "folder", hint="of A1111, Forge or ComfyUI"))
            if answer == BACK or not answer.strip():
                continue
        folder = given_path(answer)
        if not folder.is_dir():
            ask.tell(f"{folder} is no folder that exists: choose another, or make it first.")
            continue
        target = folder / lora.name
        if target.exists() and ask(replace_question(target.name)) != "yes":
            continue
        try:
            copy(lora, target)
        except LoraError as error:
            ask.tell(str(error))
            continue
        ask.tell(f"Copied to {target}")
        return folder
