"""What the records of a run have in common: frozen, and read from files of older and newer versions alike."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, InstanceOf


class Record(BaseModel):
    """A part of a file: what older versions did not write has a default, what newer ones add is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_finite)]
"""JSON has no number that is not finite: NaN and infinity become null."""
Text = InstanceOf[str]
"""Also with halves of characters, as names of files in an old encoding have them; pydantic may refuse these."""
