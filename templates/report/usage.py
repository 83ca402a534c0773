"""How to draw with a LoRA in the programs that people draw with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from advisor.families.family import Family

IN_PROMPT = ("A1111", "Forge", "SD.Next")
"""Programs that take a LoRA by a tag in the prompt and keep it in the same folder."""
WEIGHT = 0.8
"""A first weight to try where none was chosen; 1 is often too strong."""


@dataclass(frozen=True)
class Program:
    """A program, and what to do in it."""

    name: str
    folder: str
    """Where its LoRAs lie, below the program's own folder."""
    steps: tuple[str, ...]


@dataclass(frozen=True)
class UsageView:
    """What the page tells about using the LoRA."""

    file: str
    """Within the run."""
    prompt: str
    """To be copied into a prompt as it is."""
    trigger: str
    weight: float
    programs: tuple[Program, ...]


def usage_view(file: str, trigger: str, weight: float | None = None, family: Family | None = None) -> UsageView:
    """How to use a LoRA.

    Args:
        file: its path within the run.
        weight: the chosen one; None: none was chosen.
        family: the base model's, which not every program draws with; None: one that all do.
    """
    name, strength = PurePosixPath(file).stem, WEIGHT if weight is None else weight
    tag = f"<lora:{name}:{strength:g}>"
    with_word = f" together with the trigger word {trigger}" if trigger else ""
    word = f"Use the trigger word {trigger} in the prompt." if trigger else "Write the prompt as you always do."

    def draws(program: str) -> bool:
        return family is None or family.is_drawn_by(program)

    programs = (
        Program(
            ", ".join(one for one in IN_PROMPT if draws(one)), "models/Lora",
            (
                "Put the file into this folder, and press Refresh in the tab Lora.",
                f"Put {tag} into the prompt{with_word}.",
            ),
        ),
        Program(
            "ComfyUI", "models/loras",
            (
                "Put the file into this folder, and press R in the browser.",
                f"Behind the node that loads the model add a node Load LoRA: {name}, strength {strength:g} for model "
                "and clip.",
                word,
            ),
        ),
        Program(
            "InvokeAI", "",
            (
                "Add the file in the Model Manager, by its path on this machine.",
                f"Choose {name} in the field for LoRAs (Concepts), weight {strength:g}.",
                word,
            ),
        ),
    )  # fmt: skip
    there = tuple(one for one in programs if any(map(draws, one.name.split(", "))))
    return UsageView(file, f"{tag} {trigger}".strip(), trigger, strength, there)
