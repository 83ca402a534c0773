"""Finding one of many names by a part of it."""

from __future__ import annotations

from collections.abc import Sequence

from wizard.interview.questions import Word


def matches(text: str, words: Sequence[Word]) -> tuple[Word, ...]:
    """The words that `text` may mean, best first; all for an empty text."""
    wanted = text.strip().lower().replace(" ", "_")
    ranked = [(place, index) for index, word in enumerate(words) if (place := _place(wanted, word)) is not None]
    return tuple(words[index] for _, index in sorted(ranked))


def _place(wanted: str, word: Word) -> int | None:
    """How well it fits, 0 best; None: not at all."""
    path = word.word.lower()
    name = path.rpartition(".")[2]
    if not wanted or wanted in (path, name):
        return 0
    if name.startswith(wanted) or path.startswith(wanted):
        return 1
    if any(part.startswith(wanted) for part in name.split("_")):
        return 2
    if wanted in path:
        return 3
    if wanted.replace("_", " ") in word.meaning.lower():
        return 4
    return 5 if _holds_in_order(wanted, path) else None


def _holds_in_order(letters: str, text: str) -> bool:
    """Whether all letters are in the text, in this order, whatever is between."""
    rest = iter(text)
    return all(letter in rest for letter in letters)
