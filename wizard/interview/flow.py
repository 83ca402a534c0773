"""The conversation, up to the plan: which question comes when, and what an answer means. No terminal in sight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from advisor.errors import LoraError
from wizard.interview.questions import BACK, Ask, Question
from wizard.processes.measured_runs import known_receipts

if TYPE_CHECKING:
    from advisor.checkpoints.identity import Identity
    from advisor.dataset.report import DatasetReport
    from advisor.estimate.calibration import Receipt
    from advisor.machine.hardware import Hardware
    from advisor.settings.preset_file import PresetFile


def _no_preset(file: str) -> PresetFile:
    from advisor.errors import RunError

    raise RunError(f"the preset {file} cannot be read: check the path")


@dataclass(frozen=True)
class World:
    """What looks at the world; a test passes its own. Asked for the same thing twice it may answer from memory."""

    scan: Callable[[str], DatasetReport]
    identify: Callable[[str], Identity]
    probe: Callable[[], Hardware]
    presets: Callable[[], tuple[str, ...]] = tuple
    """The files of the user's own presets."""
    preset: Callable[[str], PresetFile] = _no_preset
    receipts: Callable[[], tuple[Receipt, ...]] = known_receipts
    """What earlier runs on this machine took."""


@dataclass(frozen=True)
class Talk:
    """What was said so far, and what was found by it."""

    said: Mapping[str, str] = field(default_factory=dict)
    """Answers by the question's key, in the order they were given."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Settings chosen by name, as typed."""
    report: DatasetReport | None = None
    identity: Identity | None = None

    def saying(self, key: str, answer: str) -> Talk:
        """The same with one more answer."""
        return replace(self, said={**self.said, key: answer})


@dataclass(frozen=True)
class Step:
    """One question's place in the conversation."""

    key: str
    question: Callable[[Talk, World], Question | None]
    """None: there is nothing to ask here."""
    take: Callable[[Talk, World, str], tuple[Talk, str]]
    """The talk with this answer in it, and what there is to tell; a bad answer raises a LoraError."""


class Interview:
    """Goes through the steps, forward and back."""

    def __init__(
        self,
        steps: tuple[Step, ...],
        world: World,
        ask: Ask,
        *,
        start: Talk | None = None,
        given: Mapping[str, str] | None = None,
        drafts: Mapping[str, str] | None = None,
        keep: Callable[[Talk], None] = lambda _: None,
    ) -> None:
        """Begin at the first step.

        Args:
            start: what is known before the first question, e.g. settings.
            given: answers from the command line; what they answer is not asked.
            drafts: answers of an earlier start, taken as they are unless one does not fit any more.
            keep: gets the talk after each answer.
        """
        self._steps, self._world, self._ask, self._keep = steps, world, ask, keep
        self._given, self._replay, self._drafts = dict(given or {}), dict(drafts or {}), dict(drafts or {})
        self._talk, self._index = start or Talk(), 0
        self._asked: list[tuple[int, Talk]] = []

    def run(self) -> Talk:
        """Ask whatever is still open.

        Raises:
            KeyboardInterrupt: the person wants to stop; what was said is kept.
        """
        while self._index < len(self._steps):
            step = self._steps[self._index]
            question = step.question(self._talk, self._world)
            if question is None or self._is_given(step):
                self._index += 1
            elif step.key in self._replay:
                self._answer(step, self._replay.pop(step.key))
            else:
                draft = self._drafts.get(step.key)
                self._answer(step, self._ask(question if draft is None else with_default(question, draft)))
        return self._talk

    def back(self) -> bool:
        """Go to the last question that was asked; False: there is none."""
        if not self._asked:
            return False
        self._index, self._talk = self._asked.pop()
        self._replay.clear()
        return True

    def settled(self, talk: Talk) -> None:
        """Go on from this talk, after something was changed at the plan."""
        self._talk = talk
        self._asked = [(index, replace(before, settings=talk.settings)) for index, before in self._asked]

    def _answer(self, step: Step, answer: str) -> None:
        if answer == BACK:
            self.back()
            return
        before = self._talk
        if self._take(step, answer):
            self._asked.append((self._index, before))
            self._index += 1
            self._keep(self._talk)

    def _is_given(self, step: Step) -> bool:
        """Whether the command line answered it, well."""
        if step.key not in self._given:
            return False
        if self._take(step, self._given[step.key]):
            return True
        del self._given[step.key]
        return False

    def _take(self, step: Step, answer: str) -> bool:
        self._drafts[step.key] = answer
        try:
            self._talk, told = step.take(self._talk, self._world, answer)
        except LoraError as error:
            self._ask.tell(str(error))
            return False
        if told:
            self._ask.tell(told)
        return True


def with_default(question: Question, draft: str) -> Question:
    """The same question, with an earlier answer standing there already."""
    if question.options and draft not in {option.value for option in question.options}:
        return question
    return replace(question, default=draft)
