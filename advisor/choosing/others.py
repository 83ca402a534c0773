"""Prompts for somebody else, described in full: they show what a LoRA does to the rest of what its base model draws."""

from __future__ import annotations

from advisor.settings.config import TrainingConfig

AS_TAGS = (
    "1girl, solo, short hair, brown hair, red hoodie, smile, blue background",
    "1boy, solo, black hair, glasses, white shirt, outdoors",
)
AS_SENTENCES = (
    "a woman with short brown hair in a red hoodie, smiling in front of a blue wall",
    "a man with black hair and glasses in a white shirt, standing in a street",
)


def prompts_of_others(config: TrainingConfig) -> tuple[str, ...]:
    """In the manner that the base model learned from; none for a style, which is meant to be in all pictures."""
    if config.run.subject == "style":
        return ()
    return AS_SENTENCES if config.model.lineage is None else AS_TAGS
