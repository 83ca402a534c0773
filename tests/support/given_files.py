"""Local files for importers, as a test says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class GivenFiles:
    """Nothing is on this machine; or what a test says is."""

    folders: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    def numbered_folders(self, folder: str) -> Mapping[str, int] | None:
        """Those that were given."""
        return self.folders.get(folder)

    def num_images(self, folder: str, *, subfolders: bool) -> int | None:  # noqa: ARG002
        """Those of a folder below a given one."""
        around, _, name = folder.rpartition("/")
        return self.folders.get(around, {}).get(name)

    def text(self, file: str) -> str | None:
        """That which was given."""
        return self.texts.get(file)
