"""CPU offload: networks stay in system memory until they are used, and take turns on the GPU.

All of SDXL at once takes more than a step of its training does; so does encoding an image beside the denoiser.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from trainer.device.choose import GPUS_WITH_OWN_MEMORY, free_memory


def offload_device(device: torch.device) -> torch.device:
    """Where networks are kept while they are not used: the CPU, unless the device shares its memory."""
    return torch.device("cpu") if device.type in GPUS_WITH_OWN_MEMORY else device


@contextmanager
def onloaded(networks: Sequence[nn.Module], device: torch.device) -> Iterator[None]:
    """Within, these networks are on `device`; on exit they are offloaded."""
    for network in networks:
        network.to(device)
    try:
        yield
    finally:
        for network in networks:
            network.to(offload_device(device))
        free_memory(device)


@contextmanager
def moved(networks: Sequence[nn.Module], device: torch.device) -> Iterator[None]:
    """Within, these networks are on `device`; on exit each is where it was."""
    before = [next(network.parameters()).device for network in networks]
    try:
        for network in networks:
            network.to(device)
        yield
    finally:
        for network, place in zip(networks, before, strict=True):
            network.to(place)
