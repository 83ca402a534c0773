"""Where the user's data folder is."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path


def data_folder() -> Path:
    """The user's data folder, which the environment variable LORACLE_DATA overrides."""
    if given := os.environ.get("LORACLE_DATA"):
        return Path(given)
    return user_data_path("loracle", appauthor=False)


def numbered(name: str, number: int) -> str:
    """`name`, from the second on with its number: session-2.json."""
    path = Path(name)
    return name if number == 1 else f"{path.stem}-{number}{path.suffix}"
