"""The form of what an optimizer remembers of a parameter, by which a state's is checked before a step is made with it.

`Optimizer.load_state_dict` checks no shapes, and the fused kernels write beyond a tensor that is too small.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

Form = tuple[torch.Size, torch.dtype, tuple[int, ...]] | None
"""Shape, dtype and stride of a tensor; None: no tensor."""
Forms = Mapping[str, frozenset[Form]]
"""What may stand under each name; a name may have several forms, as Prodigy's `p0` of zeros has another."""
MemoryForms = Mapping[tuple[int, torch.Size], Forms]
"""By the group's index and the parameter's shape."""


def memory_forms(optimizer: torch.optim.Optimizer) -> MemoryForms | None:
    """The forms of what a new optimizer remembers after a step, found by stepping a copy of it on other parameters.

    None: the optimizer cannot be copied so.
    """
    found = defaultdict[tuple[int, torch.Size], defaultdict[str, set[Form]]](lambda: defaultdict(set))
    try:
        for value in (0.0, 1.0):
            fresh = _on_other_parameters(optimizer, value)
            fresh.step()
            for group, settings in enumerate(fresh.param_groups):
                for parameter in settings["params"]:
                    for name, entry in fresh.state[parameter].items():
                        found[group, parameter.shape][name].add(_form(entry))
    except Exception:  # another package's optimizer, which may need more than that
        return None
    return {key: {name: frozenset(forms) for name, forms in entries.items()} for key, entries in found.items()}


def check_memory(optimizer: torch.optim.Optimizer, forms: MemoryForms) -> None:
    """See that what an optimizer was given to remember has the forms that it makes itself.

    Raises:
        ValueError: something has another; it is named.
    """
    for group, settings in enumerate(optimizer.param_groups):
        for parameter in settings["params"]:
            memory = optimizer.state.get(parameter, {})
            if not memory:
                continue
            wanted = forms[group, parameter.shape]
            if memory.keys() != wanted.keys():
                raise ValueError(f"it remembers {', '.join(map(str, memory))} instead of {', '.join(wanted)}")
            for name, entry in memory.items():
                if _form(entry) not in wanted[name]:
                    raise ValueError(f"{name} of a parameter of shape {tuple(parameter.shape)} has another form")


def _on_other_parameters(optimizer: torch.optim.Optimizer, value: float) -> torch.optim.Optimizer:
    """A copy without memory, on one parameter of each shape, all of this value and without gradient to speak of."""
    fresh = copy.copy(optimizer)
    fresh.state = defaultdict(dict)
    fresh.param_groups = []
    for group in optimizer.param_groups:
        by_shape = {parameter.shape: parameter for parameter in group["params"]}
        parameters = [torch.full_like(parameter, value).requires_grad_() for parameter in by_shape.values()]
        for parameter in parameters:
            parameter.grad = torch.zeros_like(parameter)
        fresh.param_groups.append({**group, "params": parameters})
    return fresh


def _form(entry: Any) -> Form:
    return (entry.shape, entry.dtype, entry.stride()) if isinstance(entry, Tensor) else None
