"""`python -P -m trainer.convert.lora IN OUT`: a LoRA in kohya's names, whoever made it, in those of diffusers; of a
family whose files have the base model's own names of layers, in those, or in kohya's where it has them already.

It talks as `trainer.convert.pickle` does.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advisor.adapters.diffusers_names import (
    DESCRIPTION_KEY,
    INPUT_AXIS_NOT_IN_PEFT,
    adapter_description,
    kohya_layers,
    layer_name,
)
from advisor.adapters.layout import IN_DIFFUSERS, MAGNITUDE, AdapterPlan
from advisor.checkpoints.dora_axis import magnitude_axis
from advisor.checkpoints.identify import identify
from advisor.errors import ModelError
from advisor.families import KNOWN_FAMILIES
from advisor.families.structure import LoraTarget
from advisor.files import write_atomically
from advisor.tensor_files.header import read_header
from trainer.convert.pickle import Tell, listen, run_command


def convert_lora(source: Path, out: Path, tell: Tell, *, is_new: bool = False) -> dict[str, Any]:
    """Write the LoRA in `source` to `out`, whole or not at all, and say what was done.

    Args:
        is_new: nothing is at `out`; what comes to be there meanwhile stays.

    Raises:
        ModelError: it is no LoRA, or one that diffusers' names cannot hold.
        RunError: the new file cannot be written.
    """
    from trainer.convert.lora_names import convert_names
    from trainer.lora_files.diffusers_copy import diffusers_state
    from trainer.lora_files.write import lora_file
    from trainer.models.weight_files import open_weights

    tell({"event": "progress", "phase": "check", "done": 0, "total": 0})
    if _has_original_names(source):
        number, told = convert_names(source, out, is_new=is_new)
        return _finished(source, out, number, told)
    layers = _layers(source)
    with open_weights([source], source) as weights:
        by_layer = _by_layer(source, {name: weights.tensor(name) for name in sorted(weights.names)}, layers)
    plans = [_plan(source, layers[name], tensors) for name, tensors in by_layer.items()]
    state = {f"{name}.{suffix}": one for name, tensors in by_layer.items() for suffix, one in tensors.items()}
    made = diffusers_state(state, {name: layer_name(layers[name]) for name in by_layer})
    kept = {key: value for key, value in read_header(source).metadata.items() if not key.startswith("sshs_")}
    content = lora_file(made, {**kept, DESCRIPTION_KEY: adapter_description(plans)})
    write_atomically(out, content, is_new=is_new)
    return _finished(source, out, len(made), "alpha / rank is in its weights now, since diffusers' names have no alpha")


def _finished(source: Path, out: Path, number: int, told: str) -> dict[str, Any]:
    from advisor.files import file_digest

    return {
        "event": "finished",
        "path": str(out),
        "num_tensors": number,
        "sha256_of_source": file_digest(source),
        "notes": [told],
    }


def _has_original_names(source: Path) -> bool:
    """Whether LoRAs of this one's family have the base model's own names of layers."""
    identity = identify(source)
    known = KNOWN_FAMILIES.get(identity.family or "")
    return identity.kind == "lora" and known is not None and known.layer_names == "original"


def _layers(source: Path) -> Mapping[str, LoraTarget]:
    """The layers that such a LoRA can have, by kohya's names."""
    identity = identify(source)
    if identity.kind != "lora" or identity.adapter not in IN_DIFFUSERS:
        what = identity.adapter or identity.kind
        raise ModelError(f"{source} is of the kind {what}: diffusers has names for {', '.join(IN_DIFFUSERS)} only")
    layers = kohya_layers(identity.family)
    if not layers:
        raise ModelError(f"{source} is for {identity.family or 'an unknown family'}: sd1, sd2 and sdxl are converted")
    return layers


def _by_layer(source: Path, state: Mapping[str, Any], layers: Mapping[str, LoraTarget]) -> dict[str, dict[str, Any]]:
    """Each layer's tensors, linear layers as matrices, an alpha with each."""
    import torch

    from trainer.convert.sound_layer import ALPHA, DOWN, UP, refuse_damaged

    found: dict[str, dict[str, Any]] = {}
    for key, tensor in state.items():
        name, _, suffix = key.partition(".")
        if name not in layers or suffix not in (DOWN, UP, ALPHA, MAGNITUDE):
            raise ModelError(f"{source} has {key}, which is none of kohya's names for a LoRA that diffusers knows")
        is_matrix = layers[name].kernel == 0 and tensor.ndim == 4
        found.setdefault(name, {})[suffix] = tensor.flatten(1) if is_matrix else tensor
    for name, tensors in found.items():
        if DOWN not in tensors and UP not in tensors:
            raise ModelError(f"{source} lacks a part of {name}: it is cut short; copy or download it anew")
        refuse_damaged(source, name, tensors)
        tensors.setdefault(ALPHA, torch.tensor(float(tensors[DOWN].shape[0])))
    return found


def _plan(source: Path, target: LoraTarget, tensors: Mapping[str, Any]) -> AdapterPlan:
    """The adapter as a plan would have it, so that it is described in the same way."""
    from trainer.convert.sound_layer import ALPHA, DOWN

    lengths = tensors.get(MAGNITUDE)
    if lengths is not None and magnitude_axis(tuple(lengths.shape)) == "input":
        raise ModelError(f"{source} cannot be converted: {INPUT_AXIS_NOT_IN_PEFT}")
    shapes = {suffix: tuple(one.shape) for suffix, one in tensors.items() if suffix != ALPHA}
    return AdapterPlan(target, tensors[DOWN].shape[0], float(tensors[ALPHA]), shapes)


if __name__ == "__main__":
    listen()
    sys.exit(run_command(convert_lora))
