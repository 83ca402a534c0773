"""Settings that have no place in a trainer's files, and what an export says of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from advisor.settings.config import TrainingConfig, setting, setting_field

OUR_RULES = "it only guides our rules, whose outcome is in the other settings"

SILENT_DROPS = ("model.lineage", "memory.preset", "run.subject", "run.advice")
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
