"""Settings that came later than others: what a configuration written before them means.

`loracle.toml` is written with every setting, so one that it lacks did not exist when it was written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from advisor.settings.config import TrainingConfig, parse_config, setting

ADDED_SETTINGS = (
    "dataset.only_folders",
    "dataset.regularization_folders",
    "dataset.caption_lines",
    "dataset.prepend_trigger",
    "dataset.upscale_tolerance",
    "network.dora_axis",
    "network.resize_start",
    "run.goal",
    "loss.timestep_sampling",
    "loss.timestep_mean",
    "loss.timestep_scale",
    "loss.timestep_shift",
    "loss.timestep_weighting",
    "network.text_adapter",
    "saving.layer_names",
    "model.text_encoder_path",
    "memory.text_variants",
    "memory.checkpointed_blocks",
    "memory.encode_slices",
    "memory.decode_slices",
    "memory.swapped_blocks",
)
"""Settings that the first configurations lack; the hashes in the first states know nothing of them."""


def completed(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration's tree with what earlier versions did, where that is not what a setting left out means now.

    Args:
        tree: as parsed; nothing in it needs to be a setting.
    """
    return dict(tree) | {group: {**tree[group], **added} for group, added in _meant_before(tree)}


def _meant_before(tree: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    dataset, network = tree.get("dataset"), tree.get("network")
    if isinstance(dataset, dict) and dataset.get("wildcards") is True and "caption_lines" not in dataset:
        yield "dataset", {"caption_lines": "random"}
    if isinstance(network, dict) and network.get("kind") == "dora" and "dora_axis" not in network:
        yield "network", {"dora_axis": "output"}


def unsaid_before(config: TrainingConfig) -> dict[str, set[str]]:
    """By group, the settings added later whose value is what a configuration without them means."""
    tree = config.model_dump()
    for group, _, name in (path.partition(".") for path in ADDED_SETTINGS):
        del tree[group][name]
    before, found = parse_config(completed(tree)), dict[str, set[str]]()
    for path in ADDED_SETTINGS:
        if setting(config, path) == setting(before, path):
            group, _, name = path.partition(".")
            found.setdefault(group, set()).add(name)
    return found
