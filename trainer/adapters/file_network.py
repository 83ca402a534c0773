"""A LoRA file on a base model, to draw with it: whoever wrote it, each layer of the rank that it has there."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from advisor.adapters.file_plans import file_adapters
from advisor.adapters.start_file import read_start
from trainer.adapters import ADAPTERS, Adapter, Dropouts
from trainer.adapters.network import Network, take_over
from trainer.models.families.family import BaseModel
from trainer.models.weight_files import open_weights


def attach_file(base: BaseModel, path: Path) -> Network:
    """The network of a LoRA file, attached to `base`, which is never trained; `detach` leaves the base as it was.

    Its `start_notes` say what of the file is not applied.

    Raises:
        ModelError: the file cannot be read, is damaged, or was made for another model.
    """
    file = read_start(path)
    found = file_adapters(file, base.family.name, base.structure)
    generator = torch.Generator().manual_seed(0)
    adapters = dict[str, Adapter]()
    with open_weights([path], path) as weights:
        for name, layer in found.layers.items():
            target = base.layer(layer.plan.target)
            assert isinstance(target, nn.Linear | nn.Conv2d), name
            adapters[name] = ADAPTERS[found.kind](target, layer.plan, Dropouts(), generator)
            take_over(adapters[name], layer, weights)
    network = Network(adapters, {name: layer.plan for name, layer in found.layers.items()}, frozenset())
    network.start_notes = found.notes()
    for adapter in adapters.values():
        adapter.attach()
    # A text encoder may wait in the machine's memory and come to the device only while it is at work.
    return network.requires_grad_(False).to(base.device).eval()
