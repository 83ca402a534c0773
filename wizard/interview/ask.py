"""Asks in a terminal, by questionary. Only this module and `completion` import questionary and prompt_toolkit."""

from __future__ import annotations

import os
import sys
from textwrap import wrap
from typing import Any

import questionary
from prompt_toolkit.application.current import get_app_session
from prompt_toolkit.input import Input
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.shortcuts import CompleteStyle

from advisor.files import is_there
from wizard.interview.completion import NameCompleter, PathCompleter
from wizard.interview.paths import given_path, is_whole_path, without_refused
from wizard.interview.questions import BACK, Option, Question
from wizard.output import columns, show, show_plain, wrapped

if sys.platform == "win32":
    import msvcrt
else:
    import termios

STYLE = questionary.Style(
    [
        ("qmark", "fg:ansicyan"), ("question", "bold"), ("answer", "fg:ansicyan nobold"),
        ("pointer", "fg:ansicyan bold"), ("highlighted", "fg:ansicyan bold"), ("selected", "noreverse"),
        ("instruction", "nobold fg:ansibrightblack"),
    ]
)  # fmt: skip
"""One colour, from the terminal's own sixteen."""

BACK_OPTION = Option(BACK, "< back")


class TerminalAsk:
    """An `Ask` for the terminal. `<` goes back."""

    def __init__(self, **session: Any) -> None:
        """Use the terminal; tests pass prompt_toolkit's `input` and `output`."""
        self._session = session

    def __call__(self, question: Question) -> str:
        """The answer, or BACK.

        Raises:
            KeyboardInterrupt: Ctrl-C or Ctrl-D.
        """
        if question.intro:
            self.tell(question.intro)
        discard_typed_ahead(self._session.get("input"))
        try:
            answer = self._prompt(question).unsafe_ask()
        except EOFError:
            raise KeyboardInterrupt from None
        if question.kind in ("folder", "file"):
            answer = without_refused(answer, question.default, lambda path: is_there(given_path(path)))
        is_text = question.kind == "text" and str(answer).strip() not in (BACK, question.default + BACK)
        return BACK if is_back(str(answer)) and not is_text else str(answer)

    def tell(self, view: object) -> None:
        """Print a text, indented, or a rich table."""
        if isinstance(view, str):
            show_plain(indented(view, columns()))  # rich would delay the first question
        else:
            show(view)

    def _prompt(self, question: Question) -> questionary.Question:
        if question.kind == "choice":
            return self._select(question)
        if question.kind in ("line", "text"):
            return self._line(question)
        if question.kind == "name":
            names = NameCompleter(question.candidates)
            return self._line(question, take_first=True, completer=names, complete_style=CompleteStyle.COLUMN)
        folders_only = question.kind == "folder"
        paths = PathCompleter(folders_only=folders_only)
        return self._line(
            question, completer=paths, complete_style=CompleteStyle.MULTI_COLUMN, complete_while_typing=False
        )

    def _select(self, question: Question) -> questionary.Question:
        options = (*question.options, BACK_OPTION) if question.back else question.options
        choices = [questionary.Choice(fitting(option.title, columns()), value=option.value) for option in options]
        return questionary.select(
            fitting(question.text, columns()), choices, default=question.default or None, qmark="?", pointer=">",
            style=STYLE, instruction=" ", **self._session,
        )  # fmt: skip

    def _line(self, question: Question, *, take_first: bool = False, **more: Any) -> questionary.Question:
        bindings = _bindings(take_first=take_first)
        if question.default and question.kind in ("folder", "file"):
            _let_a_drop_replace(bindings, question.default)
        if question.default and question.is_replaced:
            _let_keys_replace(bindings, question.default)
        text, hint = text_and_hint(question, columns())
        return questionary.text(
            text, default=question.default, qmark="?", style=STYLE, key_bindings=bindings, instruction=f"{hint}\n >",
            **more, **self._session,
        )  # fmt: skip


def discard_typed_ahead(given: Input | None = None) -> None:
    """Forget keys that were pressed before the question is there: they would answer it unread.

    Args:
        given: what the prompts read from; None: the terminal.
    """
    found = given or get_app_session().input
    clear_typeahead(found)
    if sys.platform == "win32":
        while given is None and msvcrt.kbhit():
            msvcrt.getwch()
    elif os.isatty(found.fileno()):
        termios.tcflush(found.fileno(), termios.TCIFLUSH)


def fitting(text: str, width: int) -> str:
    """A question's text in lines of at most this width, behind the mark before it; prompts cut or break it anywhere."""
    return "\n   ".join(wrap(text, width - 4, break_long_words=False, break_on_hyphens=False)) or text


def text_and_hint(question: Question, width: int) -> tuple[str, str]:
    """Both in lines of this width; the hint begins its own where it does not fit behind the text."""
    text, hint = fitting(question.text, width), f"({question.hint})" * bool(question.hint)
    last = text.rpartition("\n")[2]
    return text, hint if len(last) + len(hint) + 5 <= width else f"\n   {fitting(hint, width)}"


def indented(text: str, width: int) -> str:
    """The text indented by two columns; long lines are wrapped between words, but paths and commands never."""
    return "\n".join(f"  {line}" if line else "" for line in wrapped(text, width - 2).splitlines())


def is_back(answer: str) -> bool:
    """Whether the answer ends in `<`: typed alone, or behind the default."""
    return answer.rstrip().endswith(BACK)


def _bindings(*, take_first: bool) -> KeyBindings:
    """Keys for a line with completions.

    Args:
        take_first: Enter first replaces a part of a name by its best match, which a second Enter accepts.
    """
    bindings = KeyBindings()

    @bindings.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        state = buffer.complete_state
        if state is not None and state.current_completion is not None:
            buffer.complete_state = None
        elif take_first and state is not None and buffer.text not in {"", *(one.text for one in state.completions)}:
            buffer.go_to_completion(0)
            buffer.complete_state = None
        else:
            buffer.validate_and_handle()

    @bindings.add(os.path.sep)
    def _(event: KeyPressEvent) -> None:
        """Insert a separator; behind a completed folder, which ends in one, only close the completions."""
        buffer = event.current_buffer
        chosen = buffer.complete_state is not None and buffer.complete_state.current_completion is not None
        buffer.complete_state = None
        if not (chosen and buffer.document.text_before_cursor.endswith(os.path.sep)):
            buffer.insert_text(os.path.sep)

    return bindings


def _let_a_drop_replace(bindings: KeyBindings, before: str) -> None:
    """Let a path that is dropped or pasted take the place of what stood in the line, as long as that is untouched."""

    @bindings.add(Keys.BracketedPaste)
    def _(event: KeyPressEvent) -> None:
        text = event.data.replace("\r\n", "\n").replace("\r", "\n")
        if event.current_buffer.text == before and is_whole_path(text):
            event.current_buffer.text = ""
        event.current_buffer.insert_text(text)


def _let_keys_replace(bindings: KeyBindings, before: str) -> None:
    """Let what is typed or pasted take the place of what stood in the line, until a key has moved to its end."""
    is_kept = False

    @bindings.add(Keys.Any)
    @bindings.add(Keys.BracketedPaste)
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if not is_kept and buffer.text == before and buffer.document.is_cursor_at_the_end:
            buffer.text = ""
        buffer.insert_text(event.data)

    @bindings.add(Keys.End)
    @bindings.add(Keys.Right)
    @bindings.add(Keys.ControlE)
    def _(event: KeyPressEvent) -> None:
        """To the end, or one to the right, as without this."""
        nonlocal is_kept
        is_kept, document = True, event.current_buffer.document
        steps = document.get_end_of_line_position()
        event.current_buffer.cursor_position += min(1, steps) if event.key_sequence[0].key == Keys.Right else steps
