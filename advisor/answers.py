"""What the user said."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, InstanceOf

from advisor.settings.parse_value import SettingValue, WrongValue
from advisor.settings.text_types import FileName, Line

ANSWER_OF_SETTING = {"saving.name": "name", "run.trigger": "trigger", "run.subject": "subject", "run.advice": "advice"}
"""Path of a setting to the field of `Answers` that it is taken from."""


class Answers(BaseModel):
    """The interview's outcome, or the command line's: all that rules cannot find out by themselves."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: FileName
    """What the LoRA is called."""
    trigger: Line = ""
    """The word that calls it up; empty: the name."""
    subject: Literal["character", "style"] = "character"
    """What is learned."""
    goal: Literal["exact", "flexible"] = "exact"
    """What matters more: likeness to the pictures, or that other outfits, poses and scenes can be asked for."""
    advice: Literal["tutorial", "current"] = "tutorial"
    """Whose rules of thumb are followed."""
    use_cpu: bool = False
    """The explicit yes to training on the processor."""
    settings: dict[str, SettingValue | InstanceOf[WrongValue]] = Field(default_factory=dict)
    """Settings chosen by name, dotted path to value; they stand, and their dependants follow.

    `parse_settings` makes them of texts; no plan is made where it found one that cannot be."""

    @property
    def trigger_word(self) -> str:
        """The trigger, which defaults to the name."""
        return self.trigger.strip() or self.name
