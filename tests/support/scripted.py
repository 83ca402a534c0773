"""Answers questions from a script, and probes that find made-up files and hardware."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from advisor.checkpoints.identity import Identity
from advisor.dataset.report import DatasetReport
from advisor.errors import DatasetError, ModelError
from advisor.machine.hardware import Hardware
from tests.support.factories import make_dataset, make_hardware, make_identity
from wizard.interview.flow import Interview, InterviewState, Probes
from wizard.interview.questions import Question
from wizard.interview.steps import STEPS


class Interrupt:
    """In a script: Ctrl-C."""


Answer = str | type[Interrupt] | Callable[[Question], str]


class ScriptedAsk:
    """Gives the answers in turn; remembers what was asked and told."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.asked: list[Question] = []
        self.told: list[Any] = []

    def __call__(self, question: Question) -> str:
        self.asked.append(question)
        assert self._answers, f"no answer left for {question.key}: {question.text}"
        answer = self._answers.pop(0)
        if isinstance(answer, type):
            raise KeyboardInterrupt
        return answer if isinstance(answer, str) else answer(question)

    def tell(self, view: object) -> None:
        self.told.append(view)

    @property
    def keys(self) -> list[str]:
        return [question.key for question in self.asked]

    @property
    def heard(self) -> str:
        return "\n".join(str(view) for view in self.told)

    @property
    def is_done(self) -> bool:
        return not self._answers


def default(question: Question) -> str:
    """The question's default."""
    return question.default


def make_probes(
    *,
    reports: Mapping[str, DatasetReport] | None = None,
    identities: Mapping[str, Identity] | None = None,
    hardware: Hardware | None = None,
) -> Probes:
    """Probes that know one folder of images, `/pictures`, and one model, `/models/base.safetensors`."""
    folders = reports or {"/pictures": make_dataset()}
    models = identities or {"/models/base.safetensors": make_identity()}
    machine = hardware or make_hardware()

    def scan(answer: str) -> DatasetReport:
        if answer not in folders:
            raise DatasetError(f"{answer} does not exist: check the path")
        return folders[answer]

    def identify(answer: str) -> Identity:
        if answer not in models:
            raise ModelError(f"{answer} is no model: check the path")
        return models[answer]

    return Probes(scan, identify, lambda: machine)


def run_interview(ask: ScriptedAsk, *, probes: Probes | None = None, **more: Any) -> InterviewState:
    """What the interview ends with.

    Args:
        more: what else `Interview` takes.
    """
    return Interview(STEPS, probes or make_probes(), ask, **more).run()


HAPPY: tuple[Answer, ...] = (
    "character", "/pictures", "/models/base.safetensors", "none", "mira", "mira", "gpu:0",
)  # fmt: skip
"""Answers to all questions, in their order."""
