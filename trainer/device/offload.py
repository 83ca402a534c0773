"""Networks take turns on a card: each waits in the machine's memory until it has work to do.

All of SDXL at once takes more than a step of its training does; so does encoding a picture beside the denoiser.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from trainer.device.choose import free_memory

APART = ("cuda", "xpu")
"""Cards with a memory of their own; Apple's share the machine's, so waiting elsewhere would save nothing."""


def waiting_room(device: torch.device) -> torch.device:
    """Where networks wait for their turn on `device`."""
    return torch.device("cpu") if device.type in APART else device


@contextmanager
def placed(networks: Sequence[nn.Module], device: torch.device) -> Iterator[None]:
    """Within, these networks are on `device`; afterwards they wait again."""
    for network in networks:
        network.to(device)
    try:
        yield
    finally:
        for network in networks:
            network.to(waiting_room(device))
        free_memory(device)
