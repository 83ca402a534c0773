"""Settings, and values of them, that have no place in a trainer's files, and what an export says of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from advisor.errors import ConfigError
from advisor.settings.config import TrainingConfig, setting, setting_field
from templates.vocabulary import Vocabulary

OUR_RULES = "it only guides our rules, whose outcome is in the other settings"

SILENT_DROPS = ("model.lineage", "memory.preset", "run.subject", "run.goal", "run.advice")
"""Nothing is lost with these, so no export mentions them."""


def drop_notes(
    config: TrainingConfig, drops: Mapping[str, str], trainer: str, *, noted_elsewhere: tuple[str, ...] = ()
) -> Iterator[str]:
    """One sentence for each setting that has no place there and is not at its default.

    Args:
        drops: paths of settings without a place, and what that means.
        trainer: what is called so in the sentences.
        noted_elsewhere: paths that lose nothing, or that another note covers.
    """
    for path, meaning in drops.items():
        if path in SILENT_DROPS or path in noted_elsewhere:
            continue
        value = setting(config, path)
        if value != setting_field(path).default:
            yield f"{path} ({value}) has no place in {trainer}: {meaning}."


def word_errors(
    config: TrainingConfig, words: Mapping[str, tuple[Vocabulary, ...]], trainer: str
) -> Iterator[ConfigError]:
    """An error for each setting whose value the trainer has no word for; an exporter raises them before it writes.

    Args:
        words: path of a setting -> the tables that its value is looked up in, which is refused where one lacks it.
        trainer: what is called so in the sentences.
    """
    for path, tables in words.items():
        known = [value for value in tables[0].written if all(value in table.written for table in tables)]
        if (value := setting(config, path)) not in known:
            yield ConfigError(path, value, f"{trainer} knows {', '.join(known)} here: choose one of them")
