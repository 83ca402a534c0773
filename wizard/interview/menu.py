"""The menu of a made plan: show, change, save, export, train. Decides; prints and writes through what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from advisor.errors import LoraError
from advisor.facts import Facts
from advisor.files import is_there
from advisor.plan import Plan
from advisor.run_folder.keep import kept_sentence
from advisor.run_folder.place import RunPlace
from advisor.run_folder.write_over import Occupied
from templates.exporting.exporter import Export
from wizard.interview.change_setting import change_setting
from wizard.interview.flow import InterviewState
from wizard.interview.paths import given_path
from wizard.interview.preset_questions import keep_as_preset
from wizard.interview.preset_store import PresetStore
from wizard.interview.questions import BACK, Ask, Option, Question
from wizard.own_command import own_command

Written = TypeVar("Written")
MenuResult = Literal["back", "done"]
"""Back to the questions, or the end of the program."""

OVER = (
    Option("no", "No, write nothing"),
    Option("yes", "Yes, and keep each file that is replaced beside the new one, as NAME.bak"),
)


@dataclass(frozen=True)
class PlanActions:
    """The functions that make, show, save and train a plan; a test passes its own."""

    facts: Callable[[InterviewState], Facts]
    plan: Callable[[Facts], Plan]
    save: Callable[[Path, Facts, Plan, bool], tuple[Path, ...]]
    """Write a run folder, with what was decided of pictures; True: over the user's files too. Where these are kept."""
    export: Callable[[str, Path, bool], Export]
    """Write a saved run for another trainer; True: over the user's files too."""
    train: Callable[[Path], None]
    free_run: Callable[[str], Path]
    """LoRA name to the path of a run folder that does not exist yet."""
    has_trained: Callable[[Path], bool]
    """Whether this run folder holds results of a training, so that no other plan may be written into it."""
    view: Callable[[Facts, Plan, bool], object]
    """The plan as a table; True: with all settings."""
    changes: Callable[[Facts, Plan, Plan], object]
    """What another plan changes, as a table; the facts are the second one's."""
    profiles: Callable[[Facts, Plan], object]
    """The tutorial's plan beside today's, one of which is this, as a table."""
    save_answers: Callable[[InterviewState], None]
    """Store an unfinished interview."""
    delete_answers: Callable[[], None]
    """Delete the stored interview, which is finished."""
    edit_captions: Callable[[InterviewState, Ask], bool]
    """Talk about captions; whether any was changed."""
    exporters: Mapping[str, str]
    """Name to title of the trainers to export for."""
    presets: PresetStore


class Menu:
    """Shows one plan, and does what the user picks until they go back or quit."""

    def __init__(self, state: InterviewState, ask: Ask, actions: PlanActions, run: Path | None = None) -> None:
        """Make the plan.

        Args:
            run: the run folder that the user named; None: a new one with the LoRA's name.

        Raises:
            LoraError: no plan can be made from the state.
        """
        self._ask, self._actions, self._run = ask, actions, run
        self._saved: Path | None = None
        self._place: RunPlace | None = None  # of what was saved
        self._refused = ""  # what was picked last, where that ended with an error
        self._make_plan(replace(state, run=run))

    @property
    def state(self) -> InterviewState:
        """The interview's state, with what was changed in the menu."""
        return self._state

    def run(self) -> MenuResult:
        """Show the plan, then ask what to do until the user goes back, quits, or a training has ended."""
        self._show()
        handlers: dict[str, Callable[[], bool]] = {
            "train": self._train, "save": self._save, "save_as": self._save_as, "change": self._change,
            "captions": self._captions, "all": self._show_all, "compare": self._compare, "advice": self._switch_advice,
            "preset": self._save_preset, "export": self._export,
        }  # fmt: skip
        while True:
            picked = self._ask(self._question())
            if picked == BACK:
                return "back"
            if picked == "quit":
                return "done"
            try:
                if handlers[picked]():
                    return "done"
                self._refused = ""
            except LoraError as error:
                self._ask.tell(str(error))
                self._refused = picked

    def _question(self) -> Question:
        other = "what others advise today" if self._facts.answers.advice == "tutorial" else "the tutorial's advice"
        leaving = "Quit" if self._saved else "Quit (the answers are kept for next time)"
        options = (
            ("train", "Train now"), ("save", "Save"), ("save_as", "Save as ..."), ("change", "Change a setting"),
            ("captions", "Look at captions and edit them"),
            ("all", "Show every setting, and why"), ("compare", "Compare tutorial and current advice"),
            ("advice", f"Plan by {other}"), ("preset", "Save my choices as a preset"),
            ("export", "Write it for another trainer"), ("quit", leaving),
        )  # fmt: skip
        return Question(
            "menu", "What now?", "choice", options=tuple(Option(*option) for option in options),
            default=self._next_likely(),
        )  # fmt: skip

    def _next_likely(self) -> str:
        """The preselected option: after an error never to train, since what was typed meanwhile would start it."""
        if self._refused:
            return "change" if self._refused == "train" else self._refused
        if self._saved is not None:
            return "quit"
        return "save" if self._state.answers.get("machine") == "other" else "train"

    def _make_plan(self, state: InterviewState) -> None:
        """Replace state, facts and plan; on a LoraError they stay as they were."""
        self._take(state, *self._planned(state))

    def _planned(self, state: InterviewState) -> tuple[Facts, Plan]:
        facts = self._actions.facts(state)
        return facts, self._actions.plan(facts)

    def _take(self, state: InterviewState, facts: Facts, plan: Plan) -> None:
        self._state, self._facts, self._plan = state, facts, plan
        self._saved = None

    def _replan(self, state: InterviewState) -> bool:
        self._make_plan(state)
        return self._show_changed()

    def _show_changed(self) -> bool:
        self._actions.save_answers(self._state)
        self._show()
        return False

    def _show(self) -> None:
        self._ask.tell(self._actions.view(self._facts, self._plan, False))

    def _show_all(self) -> bool:
        self._ask.tell(self._actions.view(self._facts, self._plan, True))
        return False

    def _compare(self) -> bool:
        self._ask.tell(self._actions.profiles(self._facts, self._plan))
        return False

    def _switch_advice(self) -> bool:
        other = "current" if self._facts.answers.advice == "tutorial" else "tutorial"
        return self._replan(self._state.with_answer("advice", other))

    def _save(self) -> bool:
        self._saved_run()
        return False

    def _saved_run(self) -> Path:
        """The run folder, written if it is not yet.

        Raises:
            RunMoved: it was, and another folder was put there since.
        """
        if self._saved is None:
            run = self._run
            if run is None or self._actions.has_trained(run):
                run = self._actions.free_run(self._facts.answers.name)
            self._write(run)
        self._refuse_another(self._saved)
        assert self._saved is not None
        return self._saved

    def _save_as(self) -> bool:
        default = str(self._saved or self._run or self._actions.free_run(self._facts.answers.name))
        answer = self._ask(Question("run", "Into which folder?", "folder", default=default))
        if answer not in (BACK, ""):
            self._write(given_path(answer))
        return False

    def _refuse_another(self, run: Path | None) -> None:
        """Refuse a run that was put where this plan was saved.

        Raises:
            RunMoved: there is one.
        """
        if self._place is not None and run is not None and run == self._place.run and is_there(run):
            self._place.check()

    def _write(self, run: Path) -> None:
        self._refuse_another(run)
        self._aim_at(run)
        for kept in self._over(lambda overwrite: self._actions.save(run, self._facts, self._plan, overwrite)):
            self._ask.tell(kept_sentence(kept))
        self._run = self._saved = run
        if self._place is not None:
            self._place.close()
        self._place = RunPlace.of(run)
        self._actions.delete_answers()
        self._ask.tell(f"Saved in {run}\nTrain it any time with: {own_command('train', run)}")

    def _aim_at(self, run: Path) -> None:
        """Plan for another run folder than before, whose own edits of pictures count then.

        Raises:
            LoraError: that changes the plan, and the user does not want it; or no plan can be made.
        """
        if run == self._state.run:
            return
        state = replace(self._state, run=run)
        facts, plan = self._planned(state)
        if facts.dataset != self._facts.dataset:
            self._ask.tell(f"The pictures as {run} has edited them are others than those that were planned for.")
            if not self._confirm(facts, plan):
                raise LoraError("Nothing was written.")
            self._facts, self._plan = facts, plan
        self._state = state

    def _over(self, write: Callable[[bool], Written]) -> Written:
        """Write, and where the user's files are in the way, ask whether to replace them.

        Raises:
            LoraError: the user does not want that, or it cannot be written.
        """
        try:
            return write(False)
        except Occupied as error:
            question = Question(
                "overwrite", "Write there all the same?", "choice", OVER, default="no", intro=error.told
            )
            if self._ask(question) != "yes":
                raise LoraError("Nothing was written.") from None
        return write(True)

    def _save_preset(self) -> bool:
        keep_as_preset(self._plan, self._ask, self._actions.presets)
        return False

    def _train(self) -> bool:
        self._actions.train(self._saved_run())
        return True

    def _export(self) -> bool:
        options = tuple(Option(name, title) for name, title in self._actions.exporters.items())
        name = self._ask(Question("exporter", "For which trainer?", "choice", options=options))
        if name == BACK:
            return False
        run = self._saved_run()
        export = self._over(lambda overwrite: self._actions.export(name, run, overwrite))
        lines = [
            "Written:",
            *(f"  {path}" for path in export.paths),
            *(f"- {note}" for note in export.notes),
            export.how_to_start,
        ]
        self._ask.tell("\n".join(lines))
        return False

    def _change(self) -> bool:
        changed = change_setting(self._state, self._plan, self._ask, self._planned)
        if changed is None or not self._confirm(changed.facts, changed.plan):
            return False
        self._take(changed.state, changed.facts, changed.plan)
        return self._show_changed()

    def _captions(self) -> bool:
        self._actions.save_answers(self._state)  # edits are kept with them: what Ctrl-C ends is offered next time
        if self._actions.edit_captions(self._state, self._ask):
            return self._replan(self._state)
        if self._saved is not None:
            self._actions.delete_answers()
        return False

    def _confirm(self, facts: Facts, plan: Plan) -> bool:
        """Show all that another plan changes, and ask whether to keep it."""
        self._ask.tell(self._actions.changes(facts, self._plan, plan))
        options = Option("yes", "Yes, change it"), Option("no", "No, leave the plan as it was")
        return self._ask(Question("accept", "Change it so?", "choice", options=options, default="yes")) == "yes"
