"""The presets that the user has saved, each a file in the data folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from advisor.plan import Plan

FOLDER_NAME = "presets"
ENDING = ".toml"


class PresetFolder:
    """Where presets are kept and found again by name."""

    def __init__(self, folder: Path | None = None) -> None:
        """Keep them below `folder`; None: the user's data folder."""
        from wizard.user_data import data_folder

        self._folder = (folder or data_folder()) / FOLDER_NAME

    def files(self) -> tuple[Path, ...]:
        """All there are, by name."""
        try:
            found = [path for path in self._folder.iterdir() if path.suffix.lower() == ENDING and path.is_file()]
        except OSError:
            return ()
        return tuple(sorted(found, key=lambda path: path.stem.casefold()))

    def file(self, name: str) -> Path:
        """The file of the preset that is called so.

        Raises:
            ConfigError: it cannot be a file's name.
        """
        from wizard.interview.names import checked_name

        plain = name.strip()
        return self._folder / (checked_name(plain.removesuffix(ENDING)) + ENDING)

    def save(self, file: Path, plan: Plan) -> tuple[str, ...]:
        """Write what differs from the rules; the paths of these settings.

        Raises:
            RunError: nothing differs, or it cannot be written.
        """
        from templates.native.preset import own_rows, write_preset

        write_preset(file, plan)
        return tuple(row.path for row in own_rows(plan))
