"""What exports of flow matching base models have in common, whichever trainer they are for."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from advisor.settings.config import TrainingConfig, setting


def family_drops(drops: Mapping[str, str], arrive: Collection[str], more: Mapping[str, str]) -> Mapping[str, str]:
    """The settings without a place for a family, and what that means.

    Args:
        drops: those for Stable Diffusion.
        arrive: which of them have one for the family.
        more: those that have one for Stable Diffusion alone.
    """
    return {**{path: meaning for path, meaning in drops.items() if path not in arrive}, **more}


def not_in_base_model(config: TrainingConfig, drops: Mapping[str, str]) -> Mapping[str, str]:
    """Without the parts that lie in the base model's own folder, where any trainer finds them."""
    return {path: meaning for path, meaning in drops.items() if setting(config, path) != config.model.path}
