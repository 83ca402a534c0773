"""The question whether pictures are drawn while training, and the prompts where they are to be others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from advisor.shown_text import visible_line
from advisor.units import duration
from wizard.interview.flow import InterviewState, Probes, Step
from wizard.interview.questions import Question, choice

if TYPE_CHECKING:
    from advisor.planning.drawing_offer import DrawingOffer

DRAW_KEY, PROMPT_KEY, EVERY_KEY = "draw", "prompt_", "draw_every"
YES, OTHERS, NO = "yes", "others", "no"
MOST_PROMPTS = 4
"""As many as are proposed."""
SHOWN_LETTERS = 72
"""Of a prompt in the list above the question."""


def drawing_question(offer: DrawingOffer) -> Question:
    """Whether to draw, with the prompts and how long that takes."""
    lines = [visible_line(prompt) for prompt in offer.prompts]
    listed = [f"  {line if len(line) <= SHOWN_LETTERS else line[:SHOWN_LETTERS] + '...'}" for line in lines]
    often = "after each epoch" if offer.every_epochs == 1 else f"after every {offer.every_epochs} epochs"
    text, takes = f"Draw pictures {often} to find the best epoch?", ""
    if offer.seconds is not None and offer.run_seconds is not None:
        text = f"Take {duration(offer.seconds)} more to find the best epoch, by pictures drawn {often}?"
        takes = f": {duration(offer.run_seconds)} in all"
    intro = f"Pictures show which epoch to take: the base's first, then {often}:"
    advice = [] if offer.is_advised else [f"Advised against: {offer.reason.removeprefix('none: ')}."]
    question = choice(
        DRAW_KEY,
        text,
        (YES, f"Yes, of these prompts{takes}"),
        (OTHERS, "Yes, of other prompts"),
        (NO, "No"),
        default=YES if offer.is_advised else NO,
    )
    return replace(question, intro="\n".join([intro, *listed, *advice]))


def without_drawing(state: InterviewState) -> InterviewState:
    """The state before these questions."""
    kept = {key: text for key, text in state.answers.items() if not key.startswith((DRAW_KEY, PROMPT_KEY))}
    return replace(state, answers=kept)


def drawing_settings(answers: Mapping[str, str]) -> dict[str, str]:
    """The settings that the answers choose, as text; none where the rules decide."""
    drawn = answers.get(DRAW_KEY)
    prompts = [text for number in range(MOST_PROMPTS) if (text := answers.get(f"{PROMPT_KEY}{number}", "").strip())]
    if drawn == NO or (drawn == OTHERS and not prompts):
        return {"sampling.prompts": ""}
    if drawn not in (YES, OTHERS) or not prompts:
        return {}
    every = answers.get(EVERY_KEY, "1")  # which a rule takes for prompts that were chosen
    return {"sampling.prompts": json.dumps(prompts)} | ({} if every == "1" else {"sampling.every_epochs": every})


def _ask_drawing(state: InterviewState, probes: Probes) -> Question | None:
    offer = probes.drawing(without_drawing(state))
    return None if offer is None else drawing_question(offer)


def _apply_drawing(state: InterviewState, probes: Probes, answer: str) -> tuple[InterviewState, str]:
    """Where the rules would not draw, a yes chooses the proposed prompts; prompts of the user's are drawn as often as
    the question says."""
    fresh = without_drawing(state)
    offer = probes.drawing(fresh) if answer in (YES, OTHERS) else None
    if offer is not None and (answer == OTHERS or not offer.is_advised):
        fresh = fresh.with_answer(EVERY_KEY, str(offer.every_epochs))
        for number, prompt in enumerate(offer.prompts if answer == YES else ()):
            fresh = fresh.with_answer(f"{PROMPT_KEY}{number}", prompt)
    return fresh.with_answer(DRAW_KEY, answer), ""


def _prompt_step(number: int) -> Step:
    key = f"{PROMPT_KEY}{number}"

    def ask(state: InterviewState, probes: Probes) -> Question | None:
        if state.answers.get(DRAW_KEY) != OTHERS:
            return None
        offer = probes.drawing(without_drawing(state))
        proposed = "" if offer is None or number >= len(offer.prompts) else offer.prompts[number]
        return Question(key, f"Prompt {number + 1} of {MOST_PROMPTS}", "line", default=proposed, hint="empty: none")

    return Step(key, ask, lambda state, _probes, answer: (state.with_answer(key, answer), ""))


DRAWING_STEPS = (Step(DRAW_KEY, _ask_drawing, _apply_drawing), *map(_prompt_step, range(MOST_PROMPTS)))
"""Asked last: how long drawing takes depends on all the rest."""
