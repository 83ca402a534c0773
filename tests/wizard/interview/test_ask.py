"""Keys through a pipe to the real prompts."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from wizard.interview.ask import TerminalAsk, discard_typed_ahead, indented, text_and_hint
from wizard.interview.questions import BACK, IMAGES, MODEL, NAME, SUBJECT, Candidate, Question

if sys.platform != "win32":
    import tty

    from prompt_toolkit.input.vt100 import Vt100Input

ENTER, DOWN, CTRL_C, CTRL_D = "\r", "\x1b[B", "\x03", "\x04"


@pytest.fixture
def keys() -> Iterator[Any]:
    with create_pipe_input() as pipe:
        yield pipe


def answer(keys: Any, question: Question, text: str) -> str:
    keys.send_text(text)
    return TerminalAsk(input=keys, output=DummyOutput())(question)


def test_the_marked_option_is_taken(keys: Any) -> None:
    assert answer(keys, SUBJECT, DOWN + DOWN + ENTER) == "style"


def test_the_default_option_is_marked_first(keys: Any) -> None:
    question = Question("x", "?", "choice", options=SUBJECT.options, default="style")

    assert answer(keys, question, ENTER) == "style"


def test_the_last_option_goes_back(keys: Any) -> None:
    question = Question("x", "?", "choice", options=SUBJECT.options)

    assert answer(keys, question, DOWN + DOWN + DOWN + ENTER) == BACK


def test_the_first_question_has_no_way_back(keys: Any) -> None:
    assert answer(keys, SUBJECT, DOWN + DOWN + DOWN + ENTER) == "character"


def test_a_line_is_what_was_typed(keys: Any) -> None:
    assert answer(keys, NAME, "füchsin 🦊" + ENTER) == "füchsin 🦊"


@pytest.mark.parametrize("typed", ["<", " < ", "mira<"])
def test_a_typed_mark_goes_back_also_behind_the_default(keys: Any, typed: str) -> None:
    assert answer(keys, NAME, typed + ENTER) == BACK


def test_the_default_of_a_line_can_be_edited(keys: Any) -> None:
    question = Question("name", "?", "line", default="mira")

    assert answer(keys, question, "2" + ENTER) == "mira2"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("tom", "tom"),
        ("", "mira"),
        ("\x7f\x7fnda", "minda"),
        ("\x1b[F2", "mira2"),
        ("\x1b[C2", "mira2"),
        ("\x05 2", "mira 2"),
        ("\x1b[200~tom\x1b[201~", "tom"),
        ("<", BACK),
    ],
)
def test_typing_takes_the_place_of_a_default_until_a_key_keeps_it(keys: Any, typed: str, expected: str) -> None:
    assert answer(keys, replace(NAME, default="mira"), typed + ENTER) == expected


@pytest.mark.parametrize("question", [SUBJECT, NAME, IMAGES])
def test_ctrl_c_interrupts(keys: Any, question: Question) -> None:
    with pytest.raises(KeyboardInterrupt):
        answer(keys, question, CTRL_C)


def test_ctrl_d_interrupts_too(keys: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        answer(keys, NAME, CTRL_D)


def test_a_pasted_path_is_handed_over_whole(keys: Any) -> None:
    pasted = "file:///home/me/a//b"

    assert answer(keys, IMAGES, f"\x1b[200~{pasted}\x1b[201~" + ENTER) == pasted


REFUSED = Question("images", "Which folder?", "folder", default="/no such/folder")
"""Asked again with what was refused in the line."""


@pytest.mark.parametrize("dropped", ["/home/me/a", "'/home/me/my a'", "file:///home/me/a", r"C:\Users\me\a"])
def test_a_path_that_is_dropped_takes_the_place_of_a_refused_one(keys: Any, dropped: str) -> None:
    assert answer(keys, REFUSED, f"\x1b[200~{dropped}\x1b[201~" + ENTER) == dropped


def test_a_path_that_the_terminal_types_takes_the_place_of_a_refused_one(keys: Any, tmp_path: Path) -> None:
    assert answer(keys, REFUSED, f"{tmp_path} " + ENTER).strip() == str(tmp_path)
    assert answer(keys, REFUSED, f"'{tmp_path}/x y' " + ENTER).strip() == f"'{tmp_path}/x y'"


def test_a_refused_path_can_be_edited_and_added_to(keys: Any) -> None:
    assert answer(keys, REFUSED, "/sub" + ENTER) == "/no such/folder/sub"
    assert answer(keys, REFUSED, "\x7f\x1b[200~/home\x1b[201~" + ENTER) == "/no such/folde/home"
    assert answer(keys, REFUSED, "\x1b[200~s\x1b[201~" + ENTER) == "/no such/folders"


def test_keys_that_came_with_the_last_answer_answer_no_further_question(keys: Any) -> None:
    assert answer(keys, SUBJECT, ENTER + DOWN + ENTER) == "character"

    assert answer(keys, SUBJECT, ENTER) == "character"


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal of Unix")
def test_keys_pressed_while_computing_are_forgotten() -> None:
    ours, theirs = os.openpty()
    with os.fdopen(theirs) as terminal:
        tty.setraw(terminal)
        os.write(ours, (ENTER + DOWN).encode())
        assert select.select([terminal], [], [], 5.0)[0]

        discard_typed_ahead(Vt100Input(terminal))

        assert not select.select([terminal], [], [], 0)[0]
    os.close(ours)


def test_a_whole_name_is_taken_by_one_enter(keys: Any) -> None:
    candidates = (Candidate("network.rank"), Candidate("network.rank_dropout"))
    question = Question("setting", "?", "name", candidates=candidates)

    assert answer(keys, question, "network.rank" + ENTER + ENTER) == "network.rank"


def test_long_lines_are_broken_between_words_and_paths_and_commands_never() -> None:
    path = "/" + "x" * 100

    text = indented(f"one two three four {path}\n  sh '/my run/{path}'", 12)

    assert text.splitlines() == ["  one two", "  three four", f"  {path}", f"    sh '/my run/{path}'"]


def test_a_name_with_hyphens_in_a_question_stays_whole() -> None:
    question = replace(MODEL, text="Which of these does the model come from? (A guess: the name anylora-tiny says so.)")

    assert "anylora-tiny" in text_and_hint(question, 74)[0]


@pytest.mark.parametrize(("width", "lines"), [(80, 1), (60, 2), (40, 2)])
def test_a_question_is_whole_at_any_width(width: int, lines: int) -> None:
    """A prompt of several lines is cut at the window's edge, as the hint of the base model was at 60 columns."""
    text, hint = text_and_hint(MODEL, width)

    shown = f"? {text}  {hint}".splitlines()
    assert len(shown) == lines
    assert max(map(len, shown)) <= width
    assert " ".join(" ".join(shown).split()) == f"? {MODEL.text} ({MODEL.hint})"


def test_a_text_may_end_in_the_sign_that_goes_back(keys: Any) -> None:
    question = Question("caption", "Its caption:", "text", default="mira")

    assert answer(keys, question, ", :<" + ENTER) == "mira, :<"


@pytest.mark.parametrize("text", ["<", "\x15<"])
def test_the_sign_alone_or_behind_what_stood_there_goes_back(keys: Any, text: str) -> None:
    question = Question("caption", "Its caption:", "text", default="mira, hat")

    assert answer(keys, question, text + ENTER) == BACK
