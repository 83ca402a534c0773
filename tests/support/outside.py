"""What lies around a run, as around a real one: the user's home, pictures, other runs; nothing of it may change."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

SECRET = b"SECRET" * 50
"""Of a length that base64 has the same letters of wherever it begins at a multiple of three."""
MOST_HASHED_BYTES = 1024**2
"""Larger files are told by size and time."""


@dataclass(frozen=True)
class Outside:
    """A folder of the user's, beside the run."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> Outside:
        """With a home and another run in it; the user's pictures and base model may be put there too."""
        made = cls(root)
        for path, content in (
            (made.file, b"alias ll='ls -l'\n"), (made.secret, SECRET),
            (made.folder / "1_holiday" / "a.png", b"a picture"),
            (made.folder / "a.txt", b"a caption"), (root / "other-run" / "model" / "fox.safetensors", b"a LoRA"),
        ):  # fmt: skip
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return made

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def file(self) -> Path:
        """A file that runs what is appended to it."""
        return self.home / ".bashrc"

    @property
    def secret(self) -> Path:
        return self.home / ".ssh" / "id_ed25519"

    @property
    def folder(self) -> Path:
        return self.home / "photos"

    @property
    def absent(self) -> Path:
        """A link to it would make it."""
        return self.home / ".config" / "autostart"

    def state(self) -> dict[str, object]:
        """Every file and folder with what would tell that it was changed."""
        return {str(path.relative_to(self.root)): _told(path) for path in _all_below(self.root)}


def leaks(run: Path) -> list[Path]:
    """Files of a run that hold the secret, as it is or as base64; links are not followed."""
    needles = (SECRET[:60], base64.b64encode(SECRET)[:60])
    return [
        path
        for path in _all_below(run)
        if path.is_file() and not path.is_symlink() and any(needle in path.read_bytes() for needle in needles)
    ]


def _all_below(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        yield from (Path(where) / name for name in (*folders, *files))


def _told(path: Path) -> object:
    found = path.lstat()
    if not path.is_file() or path.is_symlink():
        return found.st_mode, found.st_ino
    content = sha256(path.read_bytes()).hexdigest() if found.st_size <= MOST_HASHED_BYTES else found.st_mtime_ns
    return found.st_mode, found.st_ino, found.st_size, content
