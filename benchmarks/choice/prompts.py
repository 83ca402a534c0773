"""What the recommender draws: prompts and seeds that the truth does not.

With the trigger seeds are what counts, and prompts hardly do: what an epoch makes of a seed's noise it makes of it at
every prompt. Without it the prompts count: which of the base's own people a LoRA touches differs from one to the next.
A grid draws each prompt from seeds of its own, so that many of both are seen.
"""

from __future__ import annotations

SEEDS = (42, 43, 44)
"""Of the first prompt; the others have as many of their own. `final` was drawn from 42 and 43 at every prompt."""
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
