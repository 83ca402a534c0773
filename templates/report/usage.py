"""How to draw with a LoRA in the programs that people draw with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

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


def usage_view(file: str, trigger: str, weight: float | None = None) -> UsageView:
    """How to use a LoRA.

    Args:
        file: its path within the run.
        weight: the chosen one; None: none was chosen.
    """
    name, strength = PurePosixPath(file).stem, WEIGHT if weight is None else weight
    tag = f"<lora:{name}:{strength:g}>"
    with_word = f" together with the trigger word {trigger}" if trigger else ""
    word = f"Use the trigger word {trigger} in the prompt." if trigger else "Write the prompt as you always do."
    programs = (
        Program(
            "A1111, Forge, SD.Next", "models/Lora",
            (
                "Put the file into this folder, and press Refresh in the tab Lora.",
                f"Put {tag} into the prompt{with_word}.",
            ),
        ),
        Program(
            "ComfyUI", "models/loras",
            (
                "Put the file into this folder, and press R in the browser.",
                f"Behind Load Checkpoint add a node Load LoRA: {name}, strength {strength:g} for model and clip.",
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
    return UsageView(file, f"{tag} {trigger}".strip(), trigger, strength, programs)
