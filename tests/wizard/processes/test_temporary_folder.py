"""Where two processes talk."""

from __future__ import annotations

import tempfile

import pytest

from advisor.errors import RunError
from wizard.processes.temporary_folder import temporary_folder


def test_a_folder_is_there_and_gone_again() -> None:
    with temporary_folder("word") as folder:
        (folder / "a").write_text("a")
        assert folder.name.startswith("loracle-word-")

    assert not folder.exists()


def test_a_system_without_room_for_temporary_files_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "mkdtemp", nowhere)

    with pytest.raises(RunError, match="TMPDIR"), temporary_folder("word"):
        pass
