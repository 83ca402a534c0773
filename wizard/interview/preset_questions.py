"""The conversation about presets: which one to start from, and keeping a plan as one. No terminal in sight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.plan import Plan
from advisor.units import counted, shown
from wizard.interview.questions import BACK, Ask, Option, Question, choice
from wizard.own_command import own_command

if TYPE_CHECKING:
    from advisor.settings.preset_file import PresetFile

RULES_ALONE = "none"
"""The answer that takes no preset."""

NAME = Question("preset_name", "What is the preset called?", "line", hint="becomes its file name")


@dataclass(frozen=True)
class Shelf:
    """Where presets are kept; a test passes its own."""

    file: Callable[[str], Path]
    """The file of the preset that is called so; a ConfigError where none can be."""
    save: Callable[[Path, Plan], tuple[str, ...]]
    """Write the plan's preset; the paths of the settings in it."""


def start_question(files: tuple[str, ...]) -> Question | None:
    """Which of the user's presets to start from; None: there are none."""
    if not files:
        return None
    options = (
        Option(RULES_ALONE, "The rules alone"),
        *(Option(file, f"My preset {Path(file).stem}") for file in files),
    )
    return Question("preset", "What shall the plan start from?", "choice", options=options, default=RULES_ALONE)


def preset_text(preset: PresetFile) -> str:
    """What a preset sets, in a line."""
    found = ", ".join(f"{entry.path} = {shown(entry.value)}" for entry in preset.settings)
    return f"{preset.title} sets {found}." if found else f"{preset.title} sets nothing."


def keep_as_preset(plan: Plan, ask: Ask, shelf: Shelf) -> Path | None:
    """Ask for a name and save; None: it was called off.

    Raises:
        LoraError: nothing differs from the rules, the name cannot be a file's, or it cannot be written.
    """
    from templates.native.preset import own_rows

    own_rows(plan)
    while True:
        answer = ask(NAME)
        if answer.strip() in (BACK, ""):
            return None
        file = shelf.file(answer)
        if not file.exists() or may_replace(file, ask):
            break
    paths = shelf.save(file, plan)
    ask.tell(saved_text(file, paths))
    return file


def saved_text(file: Path, paths: tuple[str, ...]) -> str:
    """Where a preset is, what is in it, and how it is used."""
    return (
        f"Saved with {counted(len(paths), 'setting')} ({', '.join(paths)}) and why, as\n  {file}\n"
        f"Use it, or whoever you give the file to:\n  {own_command('plan', '--preset', file, '...')}\n"
        f"  {own_command('new', '--preset', file)}"
    )


def may_replace(file: Path, ask: Ask, *, no: str = "No, another name") -> bool:
    """Whether a preset that is there already may be lost."""
    text = f"There is a preset {file.stem} already. Replace it?"
    question = choice("replace_preset", text, ("no", no), ("yes", "Yes, the old one is lost"), back=False)
    return ask(question) == "yes"
