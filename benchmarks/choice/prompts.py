"""What the recommender draws: prompts and seeds that the truth does not."""

from __future__ import annotations

SEEDS = (42, 43, 44)
CALLING = (
    "{trigger}",
    "{trigger}, smile, green background",
    "{trigger}, sad, glasses, gray background",
    "{trigger}, wink, red background",
    "{trigger}, laughing, orange background",
)
WITHOUT = (
    "smile, green background",
    "short hair, brown hair, light skin, red hoodie, smile, blue background",
    "long hair, black hair, dark skin, white t-shirt, wink, green background",
)
"""One of the above without the trigger, and two of the base's own people."""


def prompts_of(trigger: str) -> tuple[str, ...]:
    """The prompts for a character."""
    return (*(prompt.format(trigger=trigger) for prompt in CALLING), *WITHOUT)
