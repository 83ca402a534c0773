"""The conversation about the plan: look, change, save, export, train. No terminal in sight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args, get_origin

from advisor.errors import LoraError
from advisor.facts import Facts
from advisor.plan import Plan
from advisor.settings.config import setting_field, setting_paths
from advisor.units import shown
from wizard.interview.flow import Talk
from wizard.interview.paths import given_path
from wizard.interview.preset_questions import Shelf, keep_as_preset
from wizard.interview.questions import BACK, Ask, Option, Question, Word
from wizard.interview.steps import checked_trigger
from wizard.own_command import own_command

Ending = Literal["back", "done"]
"""Back to the questions, or nothing more to do."""

AS_ADVISED = "as advised"
"""What takes a choice back."""

SAID_ELSEWHERE = {"run.trigger": "trigger", "saving.name": "name", "run.subject": "subject", "run.advice": "advice"}
"""Settings that are answers of the conversation: path to key."""


@dataclass(frozen=True)
class Exported:
    """What was written for another trainer."""

    paths: tuple[Path, ...]
    notes: tuple[str, ...]
    how_to_start: str


@dataclass(frozen=True)
class Desk:
    """What is done with a plan; a test passes its own."""

    facts: Callable[[Talk], Facts]
    plan: Callable[[Facts], Plan]
    save: Callable[[Path, Facts, Plan], None]
    export: Callable[[str, Path], Exported]
    """Write a saved run for another trainer."""
    train: Callable[[Path], None]
    free_run: Callable[[str], Path]
    """A folder for a run of this name that is not there yet."""
    has_trained: Callable[[Path], bool]
    """Whether this folder holds a training's work, which another plan may not take the place of."""
    view: Callable[[Facts, Plan, bool], object]
    """The plan as a table; True: with all settings."""
    changes: Callable[[Facts, Plan, Plan], object]
    """What another plan changes, as a table; the facts are the second one's."""
    profiles: Callable[[Facts, Plan], object]
    """The tutorial's plan beside today's, one of which is this, as a table."""
    keep: Callable[[Talk], None]
    forget: Callable[[], None]
    """The interview came to its end."""
    exporters: Mapping[str, str]
    """Name to title of the trainers that are written for."""
    shelf: Shelf
    """Where presets are kept."""


class Menu:
    """What is done with one plan."""

    def __init__(self, talk: Talk, ask: Ask, desk: Desk, run: Path | None = None) -> None:
        """Settle the plan.

        Args:
            run: the folder that the user named; None: one by the LoRA's name.
        """
        self._ask, self._desk, self._run = ask, desk, run
        self._saved: Path | None = None
        self._settle(talk)

    @property
    def talk(self) -> Talk:
        """What was said, with what was changed here."""
        return self._talk

    def go(self) -> Ending:
        """Show the plan and do what is asked until it is enough."""
        self._show()
        actions: dict[str, Callable[[], bool]] = {
            "train": self._train, "save": self._save, "save_as": self._save_as, "change": self._change,
            "all": self._show_all, "compare": self._compare, "advice": self._switch_advice,
            "preset": self._save_preset, "export": self._export,
        }  # fmt: skip
        while True:
            picked = self._ask(self._question())
            if picked == BACK:
                return "back"
            if picked == "quit":
                return "done"
            try:
                if actions[picked]():
                    return "done"
            except LoraError as error:
                self._ask.tell(str(error))

    def _question(self) -> Question:
        other = "what others advise today" if self._facts.answers.advice == "tutorial" else "the tutorial's advice"
        leaving = "Quit" if self._saved else "Quit (the answers are kept for next time)"
        options = (
            ("train", "Train now"), ("save", "Save"), ("save_as", "Save as ..."), ("change", "Change a setting"),
            ("all", "Show all settings"), ("compare", "Compare tutorial and current advice"),
            ("advice", f"Plan by {other}"), ("preset", "Save my choices as a preset"),
            ("export", "Write it for another trainer"), ("quit", leaving),
        )  # fmt: skip
        return Question(
            "menu", "What now?", "choice", options=tuple(Option(*option) for option in options),
            default=self._next_likely(),
        )  # fmt: skip

    def _next_likely(self) -> str:
        """What most people do next."""
        if self._saved is not None:
            return "quit"
        return "save" if self._talk.said.get("machine") == "other" else "train"

    def _settle(self, talk: Talk) -> None:
        """Make the plan; on a LoraError everything stays as it was."""
        self._take(talk, *self._planned(talk))

    def _planned(self, talk: Talk) -> tuple[Facts, Plan]:
        facts = self._desk.facts(talk)
        return facts, self._desk.plan(facts)

    def _take(self, talk: Talk, facts: Facts, plan: Plan) -> None:
        self._talk, self._facts, self._plan = talk, facts, plan
        self._saved = None

    def _resettle(self, talk: Talk) -> bool:
        self._settle(talk)
        return self._resettled()

    def _resettled(self) -> bool:
        self._desk.keep(self._talk)
        self._show()
        return False

    def _show(self) -> None:
        self._ask.tell(self._desk.view(self._facts, self._plan, False))

    def _show_all(self) -> bool:
        self._ask.tell(self._desk.view(self._facts, self._plan, True))
        return False

    def _compare(self) -> bool:
        self._ask.tell(self._desk.profiles(self._facts, self._plan))
        return False

    def _switch_advice(self) -> bool:
        other = "current" if self._facts.answers.advice == "tutorial" else "tutorial"
        return self._resettle(self._talk.saying("advice", other))

    def _save(self) -> bool:
        self._saved_run()
        return False

    def _saved_run(self) -> Path:
        """The run's folder, written if it is not yet."""
        if self._saved is None:
            run = self._run
            if run is None or self._desk.has_trained(run):
                run = self._desk.free_run(self._facts.answers.name)
            self._write(run)
        assert self._saved is not None
        return self._saved

    def _save_as(self) -> bool:
        default = str(self._saved or self._run or self._desk.free_run(self._facts.answers.name))
        answer = self._ask(Question("run", "Into which folder?", "folder", default=default))
        if answer not in (BACK, ""):
            self._write(given_path(answer))
        return False

    def _write(self, run: Path) -> None:
        self._desk.save(run, self._facts, self._plan)
        self._run = self._saved = run
        self._desk.forget()
        self._ask.tell(f"Saved in {run}\nTrain it any time with: {own_command('train', run)}")

    def _save_preset(self) -> bool:
        keep_as_preset(self._plan, self._ask, self._desk.shelf)
        return False

    def _train(self) -> bool:
        self._desk.train(self._saved_run())
        return True

    def _export(self) -> bool:
        options = tuple(Option(name, title) for name, title in self._desk.exporters.items())
        name = self._ask(Question("exporter", "For which trainer?", "choice", options=options))
        if name == BACK:
            return False
        export = self._desk.export(name, self._saved_run())
        lines = [
            "Written:",
            *(f"  {path}" for path in export.paths),
            *(f"- {note}" for note in export.notes),
            export.how_to_start,
        ]
        self._ask.tell("\n".join(lines))
        return False

    def _change(self) -> bool:
        words = tuple(Word(path, setting_field(path).description or "") for path in setting_paths())
        asked = Question("setting", "Which setting?", "name", words=words, hint="any part of its name, then Tab")
        path = self._ask(asked).strip()
        if path in (BACK, ""):
            return False
        setting_field(path)
        answer = self._ask(self._value_question(path))
        if answer == BACK:
            return False
        talk = self._with_setting(path, answer)
        facts, plan = self._planned(talk)
        if not self._is_wanted(facts, plan):
            return False
        self._take(talk, facts, plan)
        return self._resettled()

    def _is_wanted(self, facts: Facts, plan: Plan) -> bool:
        """Show what a change brings with it, and ask whether it is to stand."""
        self._ask.tell(self._desk.changes(facts, self._plan, plan))
        options = Option("yes", "Yes, change it"), Option("no", "No, leave the plan as it was")
        return self._ask(Question("accept", "Change it so?", "choice", options=options, default="yes")) == "yes"

    def _value_question(self, path: str) -> Question:
        decision = self._plan.by_path[path]
        field = setting_field(path)
        intro = f"{path}: {field.description}\nNow {shown(decision.value)}: {decision.reason}"
        chosen = path in self._talk.settings
        values = fixed_values(field.annotation)
        if values:
            options = tuple(Option(value, value) for value in values)
            options += (Option(AS_ADVISED, f"{AS_ADVISED[0].upper()}{AS_ADVISED[1:]}"),) * chosen
            return Question(
                path, "Which value?", "choice", options=options, default=typed(decision.value), intro=intro
            )  # fmt: skip
        hint = f'"{AS_ADVISED}" takes your choice back' if chosen else ""
        return Question(path, "Which value?", "line", default=typed(decision.value), hint=hint, intro=intro)

    def _with_setting(self, path: str, answer: str) -> Talk:
        if path in SAID_ELSEWHERE:
            return self._talk.saying(SAID_ELSEWHERE[path], _checked(path, answer))
        settings = {name: value for name, value in self._talk.settings.items() if name != path}
        if answer.strip().lower() != AS_ADVISED:
            settings[path] = answer
        return replace(self._talk, settings=settings)


def _checked(path: str, answer: str) -> str:
    from wizard.interview.names import checked_name

    if path == "saving.name":
        return checked_name(answer)
    return checked_trigger(answer) if path == "run.trigger" else answer


def fixed_values(annotation: object) -> tuple[str, ...]:
    """All values of a setting that has a fixed choice, as typed; empty where it has none."""
    if annotation is bool:
        return ("true", "false")
    if get_origin(annotation) is Literal:
        return tuple(str(value) for value in get_args(annotation))
    return ()


def typed(value: object) -> str:
    """A setting's value as a person types it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(typed(entry) for entry in value)
    return shown(value) if isinstance(value, float) else str(value)
