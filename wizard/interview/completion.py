"""Tab completion of setting names and paths, as prompt_toolkit wants it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from prompt_toolkit.completion import Completer, Completion
from prompt_toolkit.document import Document
from questionary.prompts.path import GreatUXPathCompleter

from advisor.files import is_folder
from wizard.interview.questions import Candidate

MODEL_SUFFIXES = (".safetensors", ".ckpt", ".pt", ".bin")
"""Files that are offered when a model is asked for; any path may be typed."""


class NameCompleter(Completer):
    """Completes a name by any part of it."""

    def __init__(self, candidates: tuple[Candidate, ...]) -> None:
        """Offer these."""
        self._candidates = candidates

    def get_completions(self, document: Document, complete_event: Any) -> Iterable[Completion]:  # noqa: ARG002
        """The names that match the text, best first."""
        for match in matches(document.text, self._candidates):
            yield Completion(match.name, start_position=-len(document.text), display_meta=match.description)


class PathCompleter(Completer):
    """Completes paths, also behind an opening quote."""

    def __init__(self, *, folders_only: bool) -> None:
        """Offer folders only, or model files too."""
        self._inner = GreatUXPathCompleter(
            only_directories=folders_only,
            file_filter=None if folders_only else is_folder_or_model,
            expanduser=True,
        )

    def get_completions(self, document: Document, complete_event: Any) -> Iterable[Completion]:
        """The paths that begin with the text before the cursor."""
        text = document.text_before_cursor.lstrip().lstrip("'\"")
        yield from self._inner.get_completions(Document(text), complete_event)


def is_folder_or_model(name: str) -> bool:
    """Whether a path is offered when a model is asked for."""
    return name.lower().endswith(MODEL_SUFFIXES) or is_folder(Path(name))


def matches(text: str, candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The candidates that `text` matches, best first; all for an empty text."""
    wanted = text.strip().lower().replace(" ", "_")
    ranked = [
        (rank, index) for index, candidate in enumerate(candidates) if (rank := _rank(wanted, candidate)) is not None
    ]
    return tuple(candidates[index] for _, index in sorted(ranked))


def _rank(wanted: str, candidate: Candidate) -> int | None:
    """How well it matches, 0 best; None: not at all."""
    path = candidate.name.lower().replace(" ", "_")
    name = path.rpartition(".")[2]
    if not wanted or wanted in (path, name):
        return 0
    if name.startswith(wanted) or path.startswith(wanted):
        return 1
    if any(part.startswith(wanted) for part in name.split("_")):
        return 2
    if wanted in path:
        return 3
    if wanted.replace("_", " ") in candidate.description.lower():
        return 4
    return 5 if _is_subsequence(wanted, path) else None


def _is_subsequence(letters: str, text: str) -> bool:
    """Whether all letters occur in the text in this order, with any others between."""
    rest = iter(text)
    return all(letter in rest for letter in letters)
