"""The questions about presets: which one to start from, and under which name a plan is saved as one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.files import is_there
from advisor.shell import quoted
from advisor.shown_text import short_text
from advisor.units import counted, shown
from wizard.interview.questions import BACK, Ask, Option, Question, choice
from wizard.own_command import own_command

if TYPE_CHECKING:
    from advisor.plan import Plan
    from advisor.settings.preset_file import PresetFile, PresetSetting
    from wizard.interview.preset_store import PresetStore

REPLACE = "Yes; if it was changed by hand, it stays as NAME.bak, else it is lost"
RULES_ALONE = "none"
"""The answer for no preset."""

WANDB_PROJECT = "run.wandb_project"
WANDB_KEY, YES = "wandb", "yes"
"""The question whether curves and samples are sent to a preset's project, and the answer that sends them."""
DECIDED = {
    "name": ("saving.name",),
    "trigger": ("run.trigger",),
    "subject": ("run.subject", "run.goal"),
    "advice": ("run.advice",),
    "machine": ("machine.gpu_uuid",),
    "cpu_threads": ("machine.cpu_threads",),
}
"""Answers of the interview (or options) by key, and the settings that they decide, whatever a preset says."""

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
    """The settings of a preset in one line, and what of it does not count in another."""
    found = f"{short_text(preset.title)} sets {_listed(preset.settings) or 'nothing'}."
    if not preset.left_out:
        return found
    text = f"{found}\nLeft out, since you decide it: {_listed(preset.left_out)}."
    project = next((entry for entry in preset.left_out if entry.path == WANDB_PROJECT), None)
    if project is None:
        return text
    option = quoted(f"{WANDB_PROJECT}={shown(project.value)}")
    return f"{text}\nCurves and samples are sent to Weights & Biases only if you say so: --set {option}"


def _listed(settings: Iterable[PresetSetting]) -> str:
    return ", ".join(f"{entry.path} = {short_text(shown(entry.value))}" for entry in settings)


def counted_preset(preset: PresetFile, decided: Collection[str], chosen: Collection[str] = ()) -> PresetFile:
    """The preset without what the user decided, and without a project of Weights & Biases that nobody agreed to.

    Args:
        decided: keys of `DECIDED` that the user answered; WANDB_KEY where the answer to that was yes.
        chosen: settings chosen by name.
    """
    left = {path for key in decided for path in DECIDED.get(key, ())} | set(chosen)
    if WANDB_KEY not in decided:
        left.add(WANDB_PROJECT)
    return preset.without(left) if left & preset.by_path.keys() else preset


def interviewed_preset(preset: PresetFile, answers: Mapping[str, str], chosen: Collection[str]) -> PresetFile:
    """The same for the answers of an interview, by key."""
    decided = {key for key, answer in answers.items() if key != WANDB_KEY or answer == YES}
    return counted_preset(preset, decided, chosen)


def project_question(preset: PresetFile) -> Question | None:
    """Asks whether to send curves and samples to the project that a preset names; None: it names none."""
    found = preset.by_path.get(WANDB_PROJECT)
    return _project_question(shown(found.value)) if found is not None and found.value else None


def sends_to(project: str, ask: Ask) -> bool:
    """Ask whether curves and samples are to be sent to a project."""
    return ask(_project_question(project, back=False)) == YES


def _project_question(project: str, *, back: bool = True) -> Question:
    text = f"Send curves and samples to the project {short_text(project)} of Weights & Biases, as the file says?"
    return choice(WANDB_KEY, text, ("no", "No, nothing leaves this machine"), (YES, "Yes"), back=back)


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
        exists = is_there(file)
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
    question = choice("replace_preset", text, ("no", no), ("yes", REPLACE), back=False)
    return ask(question) == "yes"
