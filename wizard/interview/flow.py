"""The control flow of the interview: which question is next, going back, reused answers. Decides; prints nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.errors import LoraError, RunError
from wizard.interview.questions import BACK, Ask, Question

if TYPE_CHECKING:
    from advisor.checkpoints.identity import Identity
    from advisor.dataset.report import DatasetReport
    from advisor.estimate.calibration import Receipt
    from advisor.families.part_files import PartKind
    from advisor.machine.hardware import Hardware
    from advisor.planning.drawing_offer import DrawingOffer
    from advisor.settings.preset_file import PresetFile
    from wizard.interview.pictures.picture_talk import Seen
    from wizard.interview.pictures.picture_work import PictureWork


def _no_preset(file: str) -> PresetFile:
    raise RunError(f"the preset {file} cannot be read: check the path")


@dataclass(frozen=True)
class Probes:
    """The functions that read files and hardware, which may cache their results; a test passes its own."""

    scan: Callable[[str], DatasetReport]
    identify: Callable[[str], Identity]
    probe: Callable[[], Hardware]
    why_not_part: Callable[[Identity, PartKind, str], str] = lambda _base, _kind, _file: ""
    """Why a file is not that part of a base model; empty where it is."""
    presets: Callable[[], tuple[str, ...]] = tuple
    """The user's preset files."""
    preset: Callable[[str], PresetFile] = _no_preset
    receipts: Callable[[], tuple[Receipt, ...]] = tuple
    """Memory and time of earlier runs on this machine."""
    drawing: Callable[[InterviewState], DrawingOffer | None] = lambda _: None
    """What could be drawn while training, by the answers so far; None: there is nothing to ask."""
    pictures: Callable[[InterviewState], PictureWork] | None = None
    """The pictures of the answers so far, with what was decided of them; None: nothing is decided of pictures here."""
    look: Callable[[InterviewState, PictureWork], Seen] | None = None
    """What the data-set doctor says of these pictures; None: there is no doctor here."""


@dataclass(frozen=True)
class InterviewState:
    """The answers so far, and what was read from the files that they name."""

    answers: Mapping[str, str] = field(default_factory=dict)
    """By the question's key, in the order they were given."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """By path, as typed: from `--set` and from the plan's menu."""
    report: DatasetReport | None = None
    identity: Identity | None = None
    run: Path | None = None
    """The run folder that the plan is meant for, whose own edits of pictures count; None: a new one."""

    def with_answer(self, key: str, answer: str) -> InterviewState:
        """A copy with one more answer."""
        return replace(self, answers={**self.answers, key: answer})


Apply = Callable[[InterviewState, Probes, str], tuple[InterviewState, str]]
"""(state, probes, answer) to the state with the answer and a message for the user or ""; LoraError if it is invalid."""

Talk = Callable[[InterviewState, Probes, Ask], str]
"""Asks several questions; gives the step's answer, or BACK."""


@dataclass(frozen=True)
class Step:
    """One question of the interview, and what its answer does to the state."""

    key: str
    question: Callable[[InterviewState, Probes], Question | None]
    """None: the step is skipped."""
    apply: Apply
    talk: Talk | None = None
    """Asks in the place of the question, which only says whether there is anything to ask."""


class Interview:
    """Asks the questions of the steps in order, forward and back."""

    def __init__(
        self,
        steps: tuple[Step, ...],
        probes: Probes,
        ask: Ask,
        *,
        start: InterviewState | None = None,
        given: Mapping[str, str] | None = None,
        drafts: Mapping[str, str] | None = None,
        keep: Callable[[InterviewState], None] = lambda _: None,
    ) -> None:
        """Begin at the first step.

        Args:
            start: the state before the first question, e.g. with settings.
            given: the command line's answers by key; these questions are not asked.
            drafts: answers of an interrupted interview by key, applied without asking as long as each is valid.
            keep: called with the state after each answer.
        """
        self._steps, self._probes, self._ask, self._keep = steps, probes, ask, keep
        self._given, self._replay, self._drafts = dict(given or {}), dict(drafts or {}), dict(drafts or {})
        self._state, self._index = start or InterviewState(), 0
        self._asked: list[tuple[int, InterviewState]] = []

    def run(self) -> InterviewState:
        """Ask every question that is still open.

        Raises:
            KeyboardInterrupt: Ctrl-C; every answer was passed to `keep`.
        """
        while self._index < len(self._steps):
            step = self._steps[self._index]
            question = step.question(self._state, self._probes)
            if question is None or self._is_given(step):
                self._index += 1
            elif step.key in self._replay:
                self._answer(step, self._replay.pop(step.key))
            elif step.talk is not None:
                self._answer(step, step.talk(self._state, self._probes, self._ask))
            else:
                draft = self._drafts.get(step.key)
                self._answer(step, self._ask(question if draft is None else with_default(question, draft)))
        return self._state

    def back(self) -> bool:
        """Return to the last question that was asked and still is one; False: there is none."""
        if not self._asked:
            return False
        self._replay.clear()
        while self._asked:
            self._index, self._state = self._asked.pop()
            if self._steps[self._index].question(self._state, self._probes) is not None:
                break
        return True

    def replace_state(self, state: InterviewState) -> None:
        """Continue from this state, whose settings were changed in the plan's menu."""
        self._state = state
        self._asked = [(index, replace(before, settings=state.settings)) for index, before in self._asked]

    def _answer(self, step: Step, answer: str) -> None:
        if answer == BACK:
            self.back()
            return
        before = self._state
        if self._apply(step, answer):
            self._asked.append((self._index, before))
            self._index += 1
            self._keep(self._state)

    def _is_given(self, step: Step) -> bool:
        """Whether the command line answered it with a valid answer."""
        if step.key not in self._given:
            return False
        if self._apply(step, self._given[step.key]):
            return True
        del self._given[step.key]
        return False

    def _apply(self, step: Step, answer: str) -> bool:
        """Put the answer into the state; False: it is invalid, and why was printed."""
        self._drafts[step.key] = answer
        try:
            self._state, message = step.apply(self._state, self._probes, answer)
        except LoraError as error:
            self._ask.tell(str(error))
            return False
        if message:
            self._ask.tell(message)
        return True


def with_default(question: Question, draft: str) -> Question:
    """The question with an earlier answer as its default, unless that is none of its options."""
    if question.options and draft not in {option.value for option in question.options}:
        return question
    return replace(question, default=draft)
