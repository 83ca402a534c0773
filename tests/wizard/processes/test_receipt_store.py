from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advisor.estimate.calibration import Receipt
from tests.support.special_files import on_posix
from wizard.processes.receipt_store import MOST_RECEIPTS, ReceiptStore

RECEIPT = Receipt(
    machine="a card", kind="train", family="sd1", checkpointing=False, predicted_bytes=1000, peak_bytes=1100,
    predicted_step_seconds=1.0, step_seconds=1.2, steps=50, unix_seconds=1.0, settings={"rank": 32},
)  # fmt: skip


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    ReceiptStore(tmp_path).save(RECEIPT)

    assert ReceiptStore(tmp_path).load() == ((RECEIPT,), ())


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff", b"[" * 9999, b'{"machine": "a card"}', b"x" * 100_000],
)
def test_a_damaged_file_is_passed_over_with_a_note(tmp_path: Path, content: bytes) -> None:
    ReceiptStore(tmp_path).save(RECEIPT)
    (tmp_path / "receipts" / "000.json").write_bytes(content)

    found, notes = ReceiptStore(tmp_path).load()
    assert found == (RECEIPT,)
    assert "1 damaged file" in notes[0]


@pytest.mark.parametrize("change", [{"peak_bytes": "much"}, {"step_seconds": -1}, {"steps": None}, {"version": 99}])
def test_figures_that_cannot_be_are_passed_over(tmp_path: Path, change: dict[str, Any]) -> None:
    ReceiptStore(tmp_path).save(RECEIPT)
    path = next((tmp_path / "receipts").iterdir())
    path.write_text(json.dumps(json.loads(path.read_text()) | change))

    assert ReceiptStore(tmp_path).load()[0] == ()


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for number in range(MOST_RECEIPTS + 3):
        ReceiptStore(tmp_path).save(replace(RECEIPT, unix_seconds=float(number)))

    found, _ = ReceiptStore(tmp_path).load()
    assert len(found) == MOST_RECEIPTS
    assert min(one.unix_seconds for one in found) == 3.0


def test_two_runs_that_end_at_once_both_leave_theirs(tmp_path: Path) -> None:
    def keep(steps: int) -> None:
        ReceiptStore(tmp_path).save(replace(RECEIPT, steps=steps))

    threads = [threading.Thread(target=keep, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(one.steps for one in ReceiptStore(tmp_path).load()[0]) == list(range(8))


def test_files_of_others_are_not_deleted(tmp_path: Path) -> None:
    (tmp_path / "receipts").mkdir()
    for number in range(MOST_RECEIPTS):
        (tmp_path / "receipts" / f"0{number}-mine.json").write_text("{}")
    ReceiptStore(tmp_path).save(RECEIPT)

    assert len(list((tmp_path / "receipts").iterdir())) == MOST_RECEIPTS + 1


@on_posix
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "receipts").mkdir()
    os.mkfifo(tmp_path / "receipts" / "0.json")

    assert ReceiptStore(tmp_path).load()[0] == ()
