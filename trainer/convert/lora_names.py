"""LoRAs of families whose files name layers as the base model's does: from kohya's names into those, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from advisor.adapters.diffusers_names import DESCRIPTION_KEY
from advisor.adapters.file_names import original_layer
from advisor.adapters.layout import MAGNITUDE
from advisor.adapters.start_file import FileLayer, StartFile, file_layers, read_start
from advisor.errors import ModelError
from advisor.families import family
from advisor.families.family import Family
from advisor.families.structure import LoraTarget
from advisor.files import write_atomically
from trainer.adapters.network import rows_of
from trainer.convert.sound_layer import refuse_damaged
from trainer.lora_files.original_names import kohya_alpha, original_state
from trainer.lora_files.write import lora_file
from trainer.models.weight_files import Weights, open_weights

_BLOCK = re.compile(r"(?:^|[._])(?:blocks|layers)[._](\d+)[._]")
MOST_BLOCKS = 1000


def convert_names(source: Path, out: Path, *, is_new: bool) -> tuple[int, str]:
    """Write the LoRA in `source` to `out`: in the base model's names where it has kohya's, else in kohya's.

    Args:
        is_new: nothing is at `out`; what comes to be there meanwhile stays.

    Returns:
        How many tensors it has, and what was done, a sentence.

    Raises:
        ModelError: a layer of it is not known, or lacks a part.
        RunError: the new file cannot be written.
    """
    file = read_start(source)
    known = family(file.identity.family or "")
    targets = {target.name: target for target in _targets(known, file)}
    ours, others = file_layers(file, targets.values())
    if others:
        raise ModelError(f"{source} has {next(iter(others))}, which is no layer of {known.title}")
    with open_weights([source], source) as weights:
        state = {
            f"{name}.{suffix}": tensor
            for name, layer in ours.items()
            for suffix, tensor in _tensors(weights, layer, source).items()
        }
    is_joined = any(layer.share.of > 1 for layer in ours.values())
    to_original = is_joined or any(layer.name.startswith("lora_") for layer in ours.values())
    kept = {key: value for key, value in file.metadata.items() if not key.startswith("sshs_")}
    kept.pop(DESCRIPTION_KEY, None)
    if to_original:
        made = original_state(state, {name: original_layer(targets[name]) for name in ours})
        told = "its layers have the base model's own names now, and alpha / rank is in its weights"
        told += "; what was one for several layers is one for each" if is_joined else ""
    else:
        made, told = state, "its layers have kohya's names now, each with an alpha"
    write_atomically(out, lora_file(made, kept), is_new=is_new)
    return len(made), told


def _targets(known: Family, file: StartFile) -> tuple[LoraTarget, ...]:
    """All layers of a model with as many blocks as the file names."""
    numbers = [int(found[1]) for key in file.shapes if (found := _BLOCK.search(key))]
    assert known.of_blocks is not None, known.name
    return known.known_layers(known.of_blocks(min(1 + max(numbers, default=0), MOST_BLOCKS)))


def _tensors(weights: Weights, layer: FileLayer, source: Path) -> dict[str, Tensor]:
    """A layer's tensors by kohya's words, matrices, an alpha among them; lengths as LyCORIS has them."""
    found = {suffix: rows_of(weights, layer, suffix) for suffix in layer.tensors}
    refuse_damaged(source, layer.name, found)
    made = {suffix: one.flatten(1) if one.ndim == 4 else one for suffix, one in found.items()}
    if MAGNITUDE in made and made[MAGNITUDE].ndim == 1:
        made[MAGNITUDE] = made[MAGNITUDE][:, None]
    alpha = made.pop("alpha", None)
    described = layer.described_alpha
    return {"alpha": _alpha(made, alpha, described), **made}


def _alpha(tensors: Mapping[str, Tensor], alpha: Tensor | None, described: float | None) -> Tensor:
    if alpha is not None:
        return alpha.reshape(())
    rank = kohya_alpha(tensors)
    return rank if described is None else rank.new_tensor(described)
