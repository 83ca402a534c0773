"""The questions about presets: which one to start from, and under which name a plan is saved as one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from advisor.units import counted, shown
from wizard.interview.questions import BACK, Ask, Option, Question, choice
from wizard.own_command import own_command

if TYPE_CHECKING:
    from advisor.plan import Plan
    from advisor.settings.preset_file import PresetFile
    from wizard.interview.preset_store import PresetStore

YES = "Yes; if it was changed by hand, it stays as NAME.bak, else it is lost"
RULES_ALONE = "none"
"""The answer for no preset."""

NAME = Question("preset_name", "What is the preset called?", "line", hint="becomes its file name")


def start_question(files: tuple[str, ...]) -> Question | None:
    """Asks which of the user's presets to start from; None: there are none."""
    if not files:
        return None
    options = (
        Option(RULES_ALONE, "The rules alone"),
        *(Option(file, f"My preset {Path(file).stem}") for file in files),
    )
    return Question("preset", "What shall the plan start from?", "choice", options=options, default=RULES_ALONE)


def preset_text(preset: PresetFile) -> str:
    """The settings of a preset in one line."""
    found = ", ".join(f"{entry.path} = {shown(entry.value)}" for entry in preset.settings)
    return f"{preset.title} sets {found}." if found else f"{preset.title} sets nothing."


def keep_as_preset(plan: Plan, ask: Ask, presets: PresetStore) -> Path | None:
    """Ask for a name and save the plan as a preset; None: the user went back.

    Raises:
        LoraError: nothing differs from the rules, the name cannot be a file's, or it cannot be written.
    """
    from templates.native.preset import own_rows

    own_rows(plan)
    while True:
        answer = ask(NAME)
        if answer.strip() in (BACK, ""):
            return None
        file = presets.file(answer)
        exists = file.exists()
        if not exists or may_replace(file, ask):
            break
    paths = presets.save(file, plan, overwrite=exists)
    ask.tell(saved_text(file, paths))
    return file


def saved_text(file: Path, paths: tuple[str, ...]) -> str:
    """The message after saving a preset: its settings, its file, and the commands that use it."""
    return (
        f"Saved with {counted(len(paths), 'setting')} ({', '.join(paths)}) and why, as\n  {file}\n"
        f"Use it, or whoever you give the file to:\n  {own_command('plan', '--preset', file, '...')}\n"
        f"  {own_command('new', '--preset', file)}"
    )


def may_replace(file: Path, ask: Ask, *, no: str = "No, another name") -> bool:
    """Ask whether an existing preset may be replaced."""
    text = f"There is a preset {file.stem} already. Replace it?"
    question = choice("replace_preset", text, ("no", no), ("yes", YES), back=False)
    return ask(question) == "yes"
