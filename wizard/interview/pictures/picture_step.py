"""The step of the interview that is about the pictures: what was found of them, and what is decided.

What it needs is imported when it is asked, so that the first question waits for no pydantic model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wizard.interview.flow import InterviewState, Probes, Step
from wizard.interview.questions import Ask, Question

if TYPE_CHECKING:
    from wizard.interview.pictures.picture_talk import Seen

KEY = "pictures"


def _seen(state: InterviewState, probes: Probes) -> Seen:
    assert probes.pictures is not None
    assert probes.look is not None
    return probes.look(state, probes.pictures(state))


def _question(state: InterviewState, probes: Probes) -> Question | None:
    """A question where the doctor has something to say; `_talk` asks it."""
    if probes.pictures is None or probes.look is None or state.report is None:
        return None
    return Question(KEY, "", "choice") if _seen(state, probes).is_worth_asking else None


def _talk(state: InterviewState, probes: Probes, ask: Ask) -> str:
    from wizard.interview.pictures.picture_talk import PictureTalk

    assert probes.pictures is not None
    return PictureTalk(probes.pictures(state), lambda: _seen(state, probes), ask).run()


def _apply(state: InterviewState, probes: Probes, answer: str) -> tuple[InterviewState, str]:  # noqa: ARG001
    return state.with_answer(KEY, answer), ""


PICTURE_STEP = Step(KEY, _question, _apply, _talk)
"""Asked where something of the pictures is worth a mend."""
