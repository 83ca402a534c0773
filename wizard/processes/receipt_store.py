"""The receipts of earlier runs on this machine: what each took in memory and time, a small file each."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path

from advisor.data_folder import data_folder
from advisor.estimate.calibration import RECEIPT_VERSION, Receipt
from advisor.files import read_bounded, write_atomically
from wizard.output import say

FOLDER_NAME = "receipts"
MOST_RECEIPTS = 200
"""Of these the newest are kept."""
OUR_NAME = re.compile(r"\d{15}-\d+-[0-9a-f]{4}\.json")
"""Files of other names are not ours to delete."""
MOST_BYTES = 16 * 1024
"""Larger files are not read: Loracle writes none."""


class ReceiptStore:
    """Reads and writes receipts; each is a file of its own, so that two runs never write the same one."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use the folder `receipts` in `folder`; None: in the user's data folder."""
        self._folder = (folder or data_folder()) / FOLDER_NAME

    def load(self) -> tuple[tuple[Receipt, ...], tuple[str, ...]]:
        """All readable receipts, oldest first, and a note if others are damaged."""
        found, damaged = list[Receipt](), 0
        for path in self._paths():
            receipt = _read(path)
            if receipt is None:
                damaged += 1
            else:
                found.append(receipt)
        files = f"{damaged} damaged file{'s' if damaged > 1 else ''}"
        note = f"Passed over {files} of what earlier runs took: {self._folder} may be deleted at any time"
        return tuple(found), (note,) * bool(damaged)

    def save(self, receipt: Receipt) -> None:
        """Write one, and delete the oldest beyond MOST_RECEIPTS.

        Raises:
            RunError: it cannot be written.
        """
        name = f"{int(receipt.unix_seconds * 1000):015d}-{os.getpid()}-{os.urandom(2).hex()}.json"
        write_atomically(self._folder / name, json.dumps(asdict(receipt), ensure_ascii=False) + "\n")
        ours = [path for path in self._paths() if OUR_NAME.fullmatch(path.name)]
        for path in ours[:-MOST_RECEIPTS]:
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        try:
            return sorted(path for path in self._folder.iterdir() if path.suffix == ".json")
        except OSError:
            return []


def known_receipts() -> tuple[Receipt, ...]:
    """The receipts in the user's data folder; a note on damaged ones is printed."""
    found, notes = ReceiptStore().load()
    for note in notes:
        say(note)
    return found


def _read(path: Path) -> Receipt | None:
    try:
        tree = json.loads(read_bounded(path, MOST_BYTES))
        known = {field.name for field in fields(Receipt)}
        receipt = Receipt(**{key: value for key, value in tree.items() if key in known})
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return receipt if receipt.version == RECEIPT_VERSION and _is_sound(receipt) else None


def _is_sound(receipt: Receipt) -> bool:
    """Whether its figures are finite and within bounds."""
    numbers = (receipt.predicted_bytes, receipt.peak_bytes, receipt.step_seconds, receipt.steps, receipt.unix_seconds)
    predicted = receipt.predicted_step_seconds
    return (
        isinstance(receipt.machine, str)
        and all(type(one) in (int, float) and 0 <= one < 1e15 for one in numbers)
        and (predicted is None or (type(predicted) in (int, float) and 0 < predicted < 1e9))
    )
