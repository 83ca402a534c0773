from __future__ import annotations

from pathlib import Path

import pytest

from trainer.evaluate.drawn import Drawn


def drawn(*prompts: str, trigger: str = "mia") -> Drawn:
    return Drawn((), prompts, Path(), trigger)


@pytest.mark.parametrize(
    ("prompt", "calls"), [("mia, hat", True), ("a photo of Mia", True), ("damian, hat", False), ("hat", False)]
)
def test_a_prompt_calls_the_character_by_the_word(prompt: str, calls: bool) -> None:
    assert drawn(prompt).calls(0) is calls


def test_without_a_known_trigger_all_prompts_call() -> None:
    assert drawn("hat", trigger=" ").calls(0)


@pytest.mark.parametrize(("prompt", "more"), [("mia", False), (" Mia, ", False), ("", False), ("mia, hat", True)])
def test_the_trigger_alone_asks_for_nothing_more(prompt: str, more: bool) -> None:
    assert drawn(prompt).asks_more(0) is more
