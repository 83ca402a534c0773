"""Asks the person at the terminal: the one place that knows questionary and prompt_toolkit."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import questionary
from prompt_toolkit.completion import Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.shortcuts import CompleteStyle
from questionary.prompts.path import GreatUXPathCompleter

from wizard.interview.matching import matches
from wizard.interview.questions import BACK, Option, Question, Word
from wizard.output import columns, show, wrapped

STYLE = questionary.Style(
    [
        ("qmark", "fg:ansicyan"), ("question", "bold"), ("answer", "fg:ansicyan nobold"),
        ("pointer", "fg:ansicyan bold"), ("highlighted", "fg:ansicyan bold"), ("selected", "noreverse"),
        ("instruction", "nobold fg:ansibrightblack"),
    ]
)  # fmt: skip
"""Calm: one colour, from the terminal's own sixteen."""

MODEL_FILES = (".safetensors", ".ckpt", ".pt", ".bin")
"""What is offered when a model is asked for; anything may be typed."""

BACK_OPTION = Option(BACK, "< back")


class TerminalAsk:
    """Asks by questionary. `<` goes back."""

    def __init__(self, **session: Any) -> None:
        """Use the terminal; tests hand in `input` and `output` of prompt_toolkit."""
        self._session = session

    def __call__(self, question: Question) -> str:
        """The answer, or BACK.

        Raises:
            KeyboardInterrupt: the person wants to stop (Ctrl-C or Ctrl-D).
        """
        if question.intro:
            self.tell(question.intro)
        try:
            answer = self._prompt(question).unsafe_ask()
        except EOFError:
            raise KeyboardInterrupt from None
        return BACK if is_back(str(answer)) else str(answer)

    def tell(self, view: object) -> None:
        """Show a text or a table."""
        if isinstance(view, str):
            print(indented(view, columns()), flush=True)  # noqa: T201  (rich would delay the first question)
        else:
            show(view)

    def _prompt(self, question: Question) -> questionary.Question:
        if question.kind == "choice":
            return self._select(question)
        if question.kind == "line":
            return self._line(question)
        if question.kind == "name":
            names = WordCompleter(question.words)
            return self._line(question, take_first=True, completer=names, complete_style=CompleteStyle.COLUMN)
        folders_only = question.kind == "folder"
        paths = PathCompleter(folders_only=folders_only)
        return self._line(
            question, completer=paths, complete_style=CompleteStyle.MULTI_COLUMN, complete_while_typing=False
        )

    def _select(self, question: Question) -> questionary.Question:
        options = (*question.options, BACK_OPTION) if question.back else question.options
        choices = [questionary.Choice(option.title, value=option.value) for option in options]
        return questionary.select(
            question.text, choices, default=question.default or None, qmark="?", pointer=">", style=STYLE,
            instruction=" ", **self._session,
        )  # fmt: skip

    def _line(self, question: Question, *, take_first: bool = False, **more: Any) -> questionary.Question:
        bindings = _bindings(take_first=take_first)
        hint = f"({question.hint})\n >" if question.hint else "\n >"
        return questionary.text(
            question.text, default=question.default, qmark="?", style=STYLE, key_bindings=bindings, instruction=hint,
            **more, **self._session,
        )  # fmt: skip


def indented(text: str, width: int) -> str:
    """The text two columns in, so that questions stand out; long lines are broken between words, paths never."""
    return "\n".join(f"  {line}" if line else "" for line in wrapped(text, width - 2).splitlines())


def is_back(answer: str) -> bool:
    """Whether somebody typed `<`, alone or behind what stood there already."""
    return answer.rstrip().endswith(BACK)


class WordCompleter(Completer):
    """Completes a name by any part of it."""

    def __init__(self, words: tuple[Word, ...]) -> None:
        """Offer these."""
        self._words = words

    def get_completions(self, document: Document, complete_event: Any) -> Iterable[Completion]:  # noqa: ARG002
        """The names that fit what stands there, best first."""
        for word in matches(document.text, self._words):
            yield Completion(word.word, start_position=-len(document.text), display_meta=word.meaning)


class PathCompleter(Completer):
    """Completes paths: folders, and models where they are asked for; also behind a quote."""

    def __init__(self, *, folders_only: bool) -> None:
        """Offer folders only, or models too."""
        self._inner = GreatUXPathCompleter(
            only_directories=folders_only,
            file_filter=None if folders_only else is_folder_or_model,
            expanduser=True,
        )

    def get_completions(self, document: Document, complete_event: Any) -> Iterable[Completion]:
        """The completions of what stands before the cursor."""
        text = document.text_before_cursor.lstrip().lstrip("'\"")
        yield from self._inner.get_completions(Document(text), complete_event)


def is_folder_or_model(name: str) -> bool:
    """Whether it is offered where a model is asked for."""
    return name.lower().endswith(MODEL_FILES) or Path(name).is_dir()


def _bindings(*, take_first: bool) -> KeyBindings:
    """Keys for a line with completions.

    Args:
        take_first: a part of a word is first made the best word that it fits, and can be looked at before it is taken.
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
        """Behind a completed folder, which ends in one already, it only closes the menu."""
        buffer = event.current_buffer
        chosen = buffer.complete_state is not None and buffer.complete_state.current_completion is not None
        buffer.complete_state = None
        if not (chosen and buffer.document.text_before_cursor.endswith(os.path.sep)):
            buffer.insert_text(os.path.sep)

    return bindings
