from __future__ import annotations

from pathlib import Path

import pytest

from wizard.processes import queue_worker
from wizard.processes.queue_worker import EARLIER_LOG_NAME, LOG_NAME, start_in_background


def test_a_long_log_is_kept_once_and_a_file_of_the_users_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended:
        def poll(self) -> int:
            return 0

    monkeypatch.setattr(queue_worker, "MOST_LOG_BYTES", 10)
    monkeypatch.setattr(queue_worker, "_detached", lambda *_: Ended())
    (tmp_path / EARLIER_LOG_NAME).write_text("my own diary", "utf-8")
    for number in range(3):
        (tmp_path / LOG_NAME).write_text(f"a long log {number}", "utf-8")
        assert start_in_background(folder=tmp_path) is None

    assert (tmp_path / EARLIER_LOG_NAME).read_text("utf-8") == "a long log 2"
    assert [path.read_text("utf-8") for path in tmp_path.glob("queue-1.log.bak*")] == ["my own diary"]
