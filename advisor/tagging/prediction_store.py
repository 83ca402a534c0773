"""What a tagger told of pictures, kept in the user's data folder: an interrupted tagging goes on, and another threshold
costs nothing.

A file for each tagger, by the content of all its files; a line for each picture, by its content and its crop. The files
may be deleted at any time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from advisor.data_folder import data_folder
from advisor.files import open_regular, open_to_append
from advisor.json_text import Malformed, parse_json
from advisor.tagging.choose_tags import LEAST_THRESHOLD, Confidences
from advisor.units import MIB

FOLDER_NAME = "tags"
STORE_VERSION = 1
"""Goes up when pictures are prepared in another way, or other numbers are kept."""
MOST_STORE_BYTES = 512 * MIB
"""Some 200,000 pictures; a larger file is begun anew."""
MOST_LINE_BYTES = MIB
DECIMALS = 5
MOST_DIGITS = 9
"""Of a tag's place; Python refuses to make a number of thousands."""


def model_key(digests: tuple[str, ...]) -> str:
    """The key of a tagger whose files have these digests, in the order of `TaggerModel.files`."""
    return sha256(" ".join((str(STORE_VERSION), *digests)).encode()).hexdigest()[:40]


def picture_key(digest: str, crop: tuple[int, int, int, int] | None) -> str:
    """The key of a picture of that content, of which that part is trained."""
    return digest if crop is None else f"{digest} {','.join(map(str, crop))}"


class PredictionStore:
    """What one tagger told. Where the file cannot be read or written, nothing is known and nothing is kept."""

    def __init__(self, key: str, num_tags: int, folder: Path | None = None) -> None:
        """Use the tagger's file in `folder`; None: in the user's data folder."""
        self._path = (folder or data_folder() / FOLDER_NAME) / f"{key}.jsonl"
        self._num_tags = num_tags
        self._known = dict[str, Confidences]()
        self._file: FileIO | None = None

    def __enter__(self) -> Self:
        """Read what is known, and get ready to keep more."""
        is_cut_off = self._read()
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open_to_append(self._path)
            if is_cut_off:
                self._file.write(b"\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def get(self, key: str) -> Confidences | None:
        """What the tagger told of a picture; None where it was not asked yet."""
        return self._known.get(key)

    def put(self, key: str, confidences: Confidences) -> None:
        """Keep what it told, from now on also after a crash."""
        rounded = {place: round(one, DECIMALS) for place, one in confidences.items() if one >= LEAST_THRESHOLD}
        self._known[key] = rounded
        if self._file is None:
            return
        line = json.dumps({"picture": key, "tags": rounded}, separators=(",", ":")).encode("ascii") + b"\n"
        try:
            self._file.write(line)  # one write, so that what another process adds does not come between
        except OSError:  # a full disk; the pictures are told again next time
            self._file.close()
            self._file = None

    def _read(self) -> bool:
        """Read the file; gives whether its last line lacks its end."""
        last = b"\n"
        try:
            with open_regular(self._path) as file:
                if os.fstat(file.fileno()).st_size > MOST_STORE_BYTES:
                    self._path.unlink()
                    return False
                while line := file.readline(MOST_LINE_BYTES):
                    self._keep(line)
                    last = line
        except OSError:
            return False
        return not last.endswith(b"\n")

    def _keep(self, line: bytes) -> None:
        """Take over a line; a damaged one is passed over."""
        try:
            found = parse_json(line)
        except Malformed:
            return
        if not isinstance(found, dict) or not isinstance(found.get("picture"), str):
            return
        confidences = self._confidences(found.get("tags"))
        if confidences is not None:
            self._known[found["picture"]] = confidences

    def _confidences(self, found: object) -> Confidences | None:
        if not isinstance(found, Mapping):
            return None
        read = dict[int, float]()
        for place, one in found.items():
            if (
                not place.isdecimal()
                or len(place) > MOST_DIGITS
                or not isinstance(one, float | int)
                or not 0 <= one <= 1
            ):
                return None
            if int(place) >= self._num_tags:
                return None
            read[int(place)] = float(one)
        return read
