"""An action of `loracle captions` and the words behind it, as an edit of captions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from advisor.dataset.caption_edits.caption_set import CaptionSet
from advisor.dataset.caption_edits.named_edits import (
    BLANKS,
    DEDUPE,
    UNESCAPE,
    NamedEdit,
    adding,
    putting_first,
    removing,
    renaming,
    replacing,
    unifying,
    writing_caption,
)
from advisor.dataset.caption_edits.pruning import pruning
from advisor.errors import ConfigError, LoraError

LOOKING = ("list", "tags", "history", "undo")
"""Actions that edit nothing, beside those here."""


@dataclass(frozen=True)
class EditOptions:
    """Options that belong to some actions alone."""

    front: bool = False
    after: str = ""
    over: float | None = None
    """Per cent of the captions."""
    within_words: bool = False

    def refuse_others(self, action: str) -> None:
        """Refuse options that belong to other actions.

        Raises:
            LoraError: there are such.
        """
        given = {"--front": self.front, "--after": self.after, "--over": self.over, "--within-words": self.within_words}
        for option, value in given.items():
            if value not in (False, "", None) and action != ACTION_OF[option]:
                raise LoraError(f"{option} belongs to `{ACTION_OF[option]}`, not to `{action}`")


ACTION_OF = {"--front": "add", "--after": "add", "--over": "prune", "--within-words": "replace"}


def edit_of_words(
    action: str, words: Sequence[str], options: EditOptions, captions: CaptionSet, *, has_selection: bool
) -> NamedEdit:
    """The edit that a command line means.

    Raises:
        LoraError: there is no such action, or its words or options do not fit it.
    """
    if action not in MAKERS:
        raise LoraError(_no_action(action))
    options.refuse_others(action)
    if action == "set" and not has_selection:
        raise LoraError(
            "set writes one caption for the pictures that --only, --with, --without or --missing name: name them "
            "(--only '*' names all)"
        )
    return MAKERS[action](words, options, captions)


def _add(words: Sequence[str], options: EditOptions, captions: CaptionSet) -> NamedEdit:
    return adding(words, front=options.front, after=options.after, trigger=captions.trigger)


def _prune(words: Sequence[str], options: EditOptions, captions: CaptionSet) -> NamedEdit:
    if words and options.over is not None:
        raise LoraError("prune takes tags, or --over PERCENT, or neither: give one of them")
    if words:
        return removing(words, word="prune")
    if options.over is None:
        return pruning(captions)
    if not 0 < options.over <= 100:
        raise ConfigError("--over", options.over, "take a percentage above 0, at most 100, e.g. 85")
    return pruning(captions, options.over / 100)


def _two(action: str, words: Sequence[str], second: str) -> tuple[str, str]:
    if len(words) != 2:
        found = " ".join(words) or "nothing"
        raise LoraError(f"{action} takes two texts in quotes, {second}; found {found!r}")
    return words[0], words[1]


def _replace(words: Sequence[str], options: EditOptions) -> NamedEdit:
    old, new = _two("replace", words, "what is looked for and what stands there then ('' takes it out)")
    return replacing(old, new, within_words=options.within_words)


def _one(action: str, words: Sequence[str], example: str) -> str:
    if len(words) > 1:
        raise LoraError(f"{action} takes one text: put quotes around it, e.g. `loracle captions RUN {example}`")
    return words[0] if words else ""


def _none(edit: NamedEdit, words: Sequence[str]) -> NamedEdit:
    if words:
        raise LoraError(f"{edit.words[0]} takes no more words; found {' '.join(words)!r}")
    return edit


MAKERS: Mapping[str, Callable[[Sequence[str], EditOptions, CaptionSet], NamedEdit]] = {
    "add": _add,
    "remove": lambda words, _options, _captions: removing(words),
    "rename": lambda words, _options, _captions: renaming(*_two("rename", words, "the tag and what it becomes")),
    "first": lambda words, _options, captions: putting_first(
        _one("first", words, 'first "long hair"'), trigger=captions.trigger
    ),
    "prune": _prune,
    "replace": lambda words, options, _captions: _replace(words, options),
    "set": lambda words, _options, _captions: writing_caption(_one("set", words, 'set "mira, smile" --only a.png')),
    "dedupe": lambda words, _options, _captions: _none(DEDUPE, words),
    "unify": lambda words, _options, captions: _none(unifying(captions), words),
    "blanks": lambda words, _options, _captions: _none(BLANKS, words),
    "unescape": lambda words, _options, _captions: _none(UNESCAPE, words),
}


def _no_action(action: str) -> str:
    actions = (*MAKERS, *LOOKING)
    close = get_close_matches(action, actions, n=1)
    return f"captions cannot {action!r}: " + (f"did you mean {close[0]}?" if close else f"take {', '.join(actions)}")
