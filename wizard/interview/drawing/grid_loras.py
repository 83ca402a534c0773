"""Which LoRAs of a run a grid is drawn with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from advisor.errors import LoraError, RunError
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import MOST_EPOCHS, TrainingConfig
from advisor.tensor_files.header import read_header

MOST_EPOCHS_UNASKED = 10
EPOCH_KEY = "ss_epoch"
"""In a LoRA's metadata, kohya's: the epoch that it was saved after, counted from 1."""


def loras_by_epoch(run: RunFolder, config: TrainingConfig) -> dict[int, Path]:
    """The LoRAs of a run's epochs in order, the last among them; those saved after steps are none of these.

    Raises:
        RunError: there are none yet, or the folder cannot be read.
    """
    name = re.escape(config.saving.name)
    found = dict[int, Path]()
    for path in run.loras(config.saving.name):
        if numbered := re.fullmatch(rf"{name}-(\d{{6}})\.safetensors", path.name):
            found[int(numbered[1])] = path
    last = run.lora(config.saving.name)
    if last in run.loras(config.saving.name):
        found[saved_epoch(last) or max([*found, config.schedule.epochs - 1]) + 1] = last
    if not found:
        raise RunError(f"{run.path} has no LoRAs of epochs yet to draw with: train it first (`loracle train`)")
    return dict(sorted(found.items()))


def saved_epoch(path: Path) -> int | None:
    """The epoch that a LoRA's metadata say it was saved after; None where they do not."""
    with suppress(LoraError, ValueError):
        epoch = int(read_header(path).metadata.get(EPOCH_KEY, ""))
        return epoch if 0 < epoch <= MOST_EPOCHS else None
    return None


def chosen_loras(found: dict[int, Path], wanted: Sequence[int]) -> dict[int, Path]:
    """Those of the epochs that were asked for; without any, at most ten of all, evenly spread and the last among them.

    Raises:
        RunError: an epoch has none.
    """
    if missing := [epoch for epoch in wanted if epoch not in found]:
        there = ", ".join(map(str, found))
        raise RunError(
            f"--epochs: there is no LoRA of epoch {', '.join(map(str, missing))}; there are those of {there}"
        )
    return {epoch: found[epoch] for epoch in wanted or thinned(tuple(found))}


def thinned(epochs: Sequence[int], most: int = MOST_EPOCHS_UNASKED) -> tuple[int, ...]:
    """At most so many, evenly spread; the last among them."""
    count = min(most, len(epochs))
    return tuple(epochs[(number + 1) * len(epochs) // count - 1] for number in range(count))
