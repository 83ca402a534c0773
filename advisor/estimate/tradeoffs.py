"""What is lost of the result by needing less memory, and in which order that is taken.

One table for the two that choose: plans made to fit (`advisor.rules.fitting`) and the ladder
(`advisor.memory_ladder.rungs`). How much longer a step takes is no constant: `advisor.estimate.slowdown`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from advisor.estimate.slowdown import Slowdown


@dataclass(frozen=True)
class Cost:
    """What one way to save memory does to the result."""

    harm: int
    """0: the result stays the same. The more, the later it is taken."""
    result: str
    """What becomes of the LoRA, as a phrase."""

    def summary(self, slowdown: Slowdown) -> str:
        """Result and time as a phrase, e.g. `the same result, and a step takes about 38 % longer (36 to 47 %)`."""
        return f"{self.result}, and a step takes {slowdown.text}"


SPLIT = Cost(0, "the same result")
"""The same pictures in twice as many parts."""

CHECKPOINTING = Cost(0, "the same result")
"""Activations are recomputed in the backward pass."""

SWAPPING = Cost(0, "the same result")
"""Blocks of the denoiser wait in the machine's memory. Taken when nothing else of that harm is left: it takes time."""

OPTIMIZER_8BIT = Cost(1, "hardly visible")
"""AdamW's moments in 8 bits: Dettmers et al. 2021 find the same results as with 32."""

SLICES = Cost(1, "hardly visible")
"""Pictures are encoded in slices, each faded into the next."""

BASE: Mapping[str, Cost] = {
    "int8": Cost(2, "hardly visible"),
    "nf4": Cost(3, "a little less like the pictures"),
}
"""The base model in fewer bits. The demo's identity: 0.82 in float32 and int8, 0.76 in nf4
(docs/decisions/0013-quantised-base.md)."""

SMALLER_IMAGES = Cost(4, "smaller pictures show less detail")
"""A lower resolution."""

TEXT_ENCODER = Cost(5, "words are tied to the pictures less firmly")
"""The text encoder is not trained."""

LEAST_RESOLUTION_SHARE = 0.5
"""Under half of the resolution wanted a face is a handful of pixels, and we rather say that it does not fit."""
