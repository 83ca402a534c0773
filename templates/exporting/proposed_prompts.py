"""Prompts that a rule proposed stay here: another trainer that cannot draw would end its training there."""

from __future__ import annotations

from typing import Any

from advisor.errors import RunError
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig, blank_config, setting, with_values

PROMPTS = "sampling.prompts"
OF_PICTURES = (PROMPTS, "sampling.negative", "sampling.every_epochs")
"""What rules settle of the pictures that are drawn while training."""

LEFT_OUT = (
    f"{PROMPTS}: the pictures that Loracle proposes to draw while training are left out, since other trainers may end "
    "where drawing fails; --with-prompts writes them too."
)


def without_proposed_prompts(config: TrainingConfig, run: RunFolder) -> TrainingConfig:
    """The configuration without the prompts that a rule proposed for this run; those of the user, of a preset or of an
    import stay, as do all where the run has no record of its plan."""
    if not config.sampling.prompts:
        return config
    try:
        record = run.read_plan()
    except RunError:
        return config
    kept = record.chosen_paths({path: setting(config, path) for path in OF_PICTURES}) | record.imported_paths()
    known = any(decision.path == PROMPTS for decision in record.fields.decisions)
    return config if PROMPTS in kept or not known else without_pictures(config, keep=kept)


def without_pictures(config: TrainingConfig, *, keep: frozenset[str] = frozenset()) -> TrainingConfig:
    """The configuration that draws nothing.

    Args:
        keep: settings that stay as they are.
    """
    blank = blank_config()
    values: dict[str, Any] = {path: setting(blank, path) for path in OF_PICTURES if path not in keep}
    return with_values(config, values)
