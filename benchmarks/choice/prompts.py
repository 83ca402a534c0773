"""What the recommender draws: prompts and seeds that the truth does not.

Rather prompts than seeds: two seeds of a prompt that tells everything differ by less than a sixth of what two prompts
do, and which of the base's own people a LoRA touches differs from one to the next.
"""

from __future__ import annotations

SEEDS = (42, 43)
CALLING = (
    "{trigger}",
    "{trigger}, smile, green background",
    "{trigger}, sad, glasses, gray background",
    "{trigger}, wink, red background",
)
UNCALLED = "smile, green background"
"""One of the above without the trigger."""
PEOPLE = (
    "short hair, brown hair, light skin, red hoodie, smile, blue background",
    "long hair, black hair, dark skin, white t-shirt, wink, green background",
    "pigtails hair, blonde hair, tan skin, blue overalls, laughing, pink background",
    "curly hair, red hair, brown skin, yellow striped shirt, sad, gray background",
    "bob hair, white hair, light skin, black hoodie, surprised, orange background",
)
"""The base's own."""


def prompts_of(trigger: str) -> tuple[str, ...]:
    """The prompts for a character."""
    return (*(prompt.format(trigger=trigger) for prompt in CALLING), UNCALLED, *PEOPLE)
