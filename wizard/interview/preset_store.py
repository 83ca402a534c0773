"""The presets that the user has saved, each a file in the data folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from advisor.data_folder import data_folder
from advisor.files import is_file
from wizard.interview.names import checked_name

if TYPE_CHECKING:
    from advisor.plan import Plan

FOLDER_NAME = "presets"
SUFFIX = ".toml"


class PresetStore:
    """Lists, names and writes preset files."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use the folder `presets` in `folder`; None: in the user's data folder."""
        self._folder = (folder or data_folder()) / FOLDER_NAME

    def files(self) -> tuple[Path, ...]:
        """All preset files, sorted by name without regard to case."""
        try:
            found = [path for path in self._folder.iterdir() if path.suffix.lower() == SUFFIX and is_file(path)]
        except OSError:
            return ()
        return tuple(sorted(found, key=lambda path: path.stem.casefold()))

    def file(self, name: str) -> Path:
        """The path of the preset of this name, which need not exist.

        Raises:
            ConfigError: it cannot be a file's name.
        """
        plain = name.strip()
        return self._folder / (checked_name(plain.removesuffix(SUFFIX)) + SUFFIX)

    def save(self, file: Path, plan: Plan, *, overwrite: bool = False) -> tuple[str, ...]:
        """Write the settings that differ from the rules' advice; returns their paths.

        Args:
            overwrite: replace a file that the user changed or made, after keeping it beside.

        Raises:
            RunError: nothing differs, or it cannot be written.
        """
        from templates.native.preset import own_rows, write_preset

        write_preset(file, plan, overwrite=overwrite)
        return tuple(row.path for row in own_rows(plan))
