"""The price of needing less memory: how much slower a step gets, and what is lost of the result.

One table for the two that choose: plans made to fit (`advisor.rules.fitting`) and the ladder
(`advisor.memory_ladder.rungs`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CHECKPOINTING_SLOWDOWN = {"sd1": 1.69, "sd2": 1.69, "sdxl": 1.78}


@dataclass(frozen=True)
class Cost:
    """The price of one way to save memory."""

    harm: int
    """0: the result stays the same. The more, the later it is taken."""
    slowdown: float
    """A step's time after it over the time before."""
    result: str
    """What becomes of the LoRA, as a phrase."""

    @property
    def summary(self) -> str:
        """Result and slowdown as a phrase, e.g. `the same result, 69 % slower`."""
        percent = round(abs(self.slowdown - 1) * 100)
        if not percent:
            return f"{self.result}, no slower"
        return f"{self.result}, {percent} % {'slower' if self.slowdown > 1 else 'faster'}"


SPLIT = Cost(0, 1.1, "the same result")
"""The same pictures in twice as many parts: a card is a little less busy with fewer at once. Assumed."""

OPTIMIZER_8BIT = Cost(1, 1.0, "hardly visible")
"""AdamW's moments in 8 bits: Dettmers et al. 2021 find the same results as with 32."""

BASE: Mapping[str, Cost] = {
    "int8": Cost(2, 1.2, "hardly visible"),
    "nf4": Cost(3, 1.2, "a little less like the pictures"),
}
"""The base model in fewer bits. The demo's identity: 0.82 in float32 and int8, 0.76 in nf4
(docs/decisions/0013-quantised-base.md); the time is assumed, unmeasured on a card."""

USUAL_CHECKPOINTING_SLOWDOWN = 1.7
"""Where a family has no figure of its own."""

TEXT_ENCODER = Cost(5, 1.0, "words are tied to the pictures less firmly")
"""The text encoder is not trained."""


LEAST_RESOLUTION_SHARE = 0.5
"""Under half of the resolution wanted a face is a handful of pixels, and we rather say that it does not fit."""


def checkpointing(family: str) -> Cost:
    """Activations are recomputed in the backward pass; measured by SimpleTuner on an H100."""
    return Cost(0, CHECKPOINTING_SLOWDOWN.get(family, USUAL_CHECKPOINTING_SLOWDOWN), "the same result")


def smaller_images(before_px: int, after_px: int) -> Cost:
    """A step's time is proportional to the pixels."""
    return Cost(4, (after_px / before_px) ** 2, "smaller pictures show less detail")
