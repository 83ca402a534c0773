"""The keys of kohya_ss's LoRA tab: type, value at the start, and what the GUI takes. A table of facts about 26.0.0."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal

GuiValue = str | bool | int | float

TABLE = "kohya_gui_keys.json"


@dataclass(frozen=True)
class GuiKey:
    """One key of the GUI's JSON."""

    name: str
    type: Literal["string", "bool", "int", "float"]
    default: GuiValue
    """What the GUI shows at its start."""
    least: float | None = None
    most: float | None = None
    choices: tuple[str | int, ...] | None = None
    """A closed list: anything else is refused."""

    def written(self, value: GuiValue) -> GuiValue:
        """The value in the type that the GUI saves: whole numbers have no point, as JavaScript writes them."""
        if self.type == "float" and isinstance(value, float) and value.is_integer():
            return int(value)
        return value

    def has_type_of(self, value: object) -> bool:
        """Whether a JSON value is of this key's type; a whole number passes for a float."""
        if isinstance(value, bool):
            return self.type == "bool"
        kinds = {"string": (str,), "bool": (bool,), "int": (int,), "float": (int, float)}[self.type]
        return isinstance(value, kinds)


@lru_cache(maxsize=1)
def gui_keys() -> Mapping[str, GuiKey]:
    """Every key by its name, in the order in which the GUI saves them."""
    table = json.loads(files("templates").joinpath("kohya", "files", TABLE).read_text("utf-8"))
    return {name: _key(name, facts) for name, facts in table.items()}


def _key(name: str, facts: Mapping[str, object]) -> GuiKey:
    choices = facts.get("choices")
    return GuiKey(
        name=name,
        type=facts["type"],  # type: ignore[arg-type]
        default=facts["default"],  # type: ignore[arg-type]
        least=facts.get("min"),  # type: ignore[arg-type]
        most=facts.get("max"),  # type: ignore[arg-type]
        choices=tuple(choices) if isinstance(choices, list) else None,
    )
