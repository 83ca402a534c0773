"""Which pictures are held out of the training to measure on: the seed and what is in the files decide, so that names,
order and caches change nothing, and two copies of one picture never fall on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from math import floor
from pathlib import Path

from advisor.errors import ConfigError

Digest = Callable[[Path], str]
"""The hash of a file's content."""


def held_out(paths: Sequence[Path], share: float, *, seed: int, digest: Digest) -> frozenset[Path]:
    """About this share of the pictures, one at least and never all.

    Args:
        share: between 0 and 1; 0 and 1 hold none out.

    Raises:
        ConfigError: all pictures are the same.
    """
    if share in (0, 1):
        return frozenset()
    wanted = max(1, floor(share * len(paths) + 0.5))
    by_content = dict[str, list[Path]]()
    for path in paths:
        by_content.setdefault(digest(path), []).append(path)
    if len(by_content) == 1:
        mend = "there is only one picture, and it is needed to learn from; 0 measures nothing, 1 measures on it"
        raise ConfigError("validation.share", share, mend)
    ranked = sorted(by_content, key=lambda content: sha256(f"{seed}/{content}".encode()).digest())
    found = list[Path]()
    for content in ranked[:-1]:
        if len(found) >= wanted:
            break
        found += by_content[content]
    return frozenset(found)
