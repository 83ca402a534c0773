"""A trainer's words for the values of one of our settings: one table, read by its importer and by its exporter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class Word:
    """A value of ours, and what stands for it in the trainer's files."""

    ours: str
    theirs: str
    """What an exporter writes. An importer reads it as `ours`, unless `decided_by` or `is_near` says otherwise."""
    also: tuple[str, ...] = ()
    """Further spellings that an importer reads as `ours`, and that no exporter writes."""
    decided_by: str = ""
    """The key by which an importer tells `ours` from another value of the same word; empty: the word is enough."""
    is_near: bool = False
    """The trainer has no such value: the word is that of the nearest one, and is read back as that."""


@dataclass(frozen=True)
class Vocabulary:
    """All words for the values of one setting. Upper and lower case are alike, unless `case_matters`."""

    words: tuple[Word, ...]
    lacks: tuple[str, ...] = ()
    """Values of ours that the trainer has no place for, so that they are never written."""
    read_only: Mapping[str, str] = field(default_factory=dict)
    """Their words -> the same value of ours, where it is one that is never written."""
    near: Mapping[str, str] = field(default_factory=dict)
    """Their words that we have no value for -> our nearest."""
    near_by_part: tuple[tuple[str, str], ...] = ()
    """The same by a part of the word; the first that is in it counts."""
    otherwise: str = ""
    """What any other word is read as; empty: as nothing."""
    case_matters: bool = False

    @classmethod
    def same_as_ours(cls, values: Iterable[str]) -> Vocabulary:
        """The trainer's words are the names of our own values."""
        return cls(tuple(Word(value, value) for value in values))

    @property
    def written(self) -> tuple[str, ...]:
        """Values of ours that an exporter has a word for, be it a near one, in the table's order."""
        return tuple(word.ours for word in self.words)

    @cached_property
    def spellings(self) -> Mapping[str, str]:
        """Every word that is read as just this value of ours -> the value."""
        own = {word.theirs: word.ours for word in self.words if not word.decided_by and not word.is_near}
        return {**own, **{name: word.ours for word in self.words for name in word.also}, **self.read_only}

    def word(self, ours: str) -> Word:
        """The row of a value of ours.

        Raises:
            KeyError: the trainer has no word for it.
        """
        return self._by_value[ours]

    def theirs(self, ours: str) -> str:
        """What an exporter writes for a value of ours.

        Raises:
            KeyError: the trainer has no word for it.
        """
        return self._by_value[ours].theirs

    def ours(self, theirs: str) -> str | None:
        """The value of ours that a word means; None where we have no such value."""
        return self._by_spelling.get(self._folded(theirs))

    def nearest(self, theirs: str) -> str | None:
        """Our nearest value to a word that we have no value for; None where there is none."""
        word = self._folded(theirs)
        exact = next((ours for name, ours in self.near.items() if self._folded(name) == word), None)
        by_part = (ours for part, ours in self.near_by_part if self._folded(part) in word)
        return exact or next(by_part, None) or self.otherwise or None

    def only(self, values: Iterable[str]) -> Vocabulary:
        """The same words, of these values of ours alone."""
        kept = frozenset(values)
        return Vocabulary(tuple(word for word in self.words if word.ours in kept), case_matters=self.case_matters)

    @cached_property
    def _by_value(self) -> Mapping[str, Word]:
        return {word.ours: word for word in self.words}

    @cached_property
    def _by_spelling(self) -> Mapping[str, str]:
        return {self._folded(name): ours for name, ours in self.spellings.items()}

    def _folded(self, word: str) -> str:
        return word if self.case_matters else word.lower()
