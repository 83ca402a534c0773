"""Randomness that depends on what it is for and on nothing else.

Every random number of a training comes from a generator seeded by the run's seed, a purpose and the numbers that say
where in the training it is used (step, epoch, image ...). So worker counts, caches, devices and interruptions do not
change what is drawn, and a resumed run draws what an uninterrupted one would.
"""

from __future__ import annotations

import random
from hashlib import sha256

import torch


def seed_of(seed: int, purpose: str, *numbers: int) -> int:
    """A seed of 63 bits that belongs to this purpose and place alone.

    Args:
        seed: the run's.
        purpose: e.g. `noise`.
        numbers: e.g. step and batch.
    """
    text = "/".join([str(seed), purpose, *map(str, numbers)])
    return int.from_bytes(sha256(text.encode("utf-8")).digest()[:8], "big") >> 1


def generator(seed: int, purpose: str, *numbers: int) -> torch.Generator:
    """A torch generator on the CPU, so that every device gets the same numbers."""
    return torch.Generator("cpu").manual_seed(seed_of(seed, purpose, *numbers))


def rng(seed: int, purpose: str, *numbers: int) -> random.Random:
    """The same as one of Python's own generators, for choices among words."""
    return random.Random(seed_of(seed, purpose, *numbers))
