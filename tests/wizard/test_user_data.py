from __future__ import annotations

from pathlib import Path

import pytest

from advisor.data_folder import data_folder
from wizard.user_data import SavedAnswers, Session, remember, remembered


def test_answers_come_back_as_they_were_saved(tmp_path: Path) -> None:
    saved = SavedAnswers({"subject": "style", "images": "/Füchse 🦊"}, {"network.rank": "48"})
    Session(tmp_path).save(saved)

    assert Session(tmp_path).load() == saved


def test_forgotten_answers_are_gone(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.save(SavedAnswers({"subject": "style"}))
    session.delete()
    session.delete()

    assert not session.load()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"answers": 3}', b'{"answers": {"a": 1}}', b"\xff\xfe", b"[" * 9999]
)
def test_a_damaged_session_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "session.json").write_bytes(content)

    assert not Session(tmp_path).load()


def test_the_data_folder_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path))

    assert data_folder() == tmp_path


def test_places_are_remembered(tmp_path: Path) -> None:
    remember("lora_folder", "/a", tmp_path)
    remember("other", "/b", tmp_path)

    assert remembered("lora_folder", tmp_path) == "/a"
    assert remembered("nothing", tmp_path) is None


@pytest.mark.parametrize("content", ["my diary", "[1]", '{"answers": 3}', '{"a": {"b": 1}}'])
@pytest.mark.parametrize("name", ["session.json", "places.json"])
def test_a_file_of_the_users_that_has_such_a_name_is_never_lost(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)

    Session(tmp_path).delete()
    assert (tmp_path / name).read_text() == content
    Session(tmp_path).save(SavedAnswers({"subject": "style"}))
    remember("lora_folder", "/a", tmp_path)

    assert (tmp_path / f"{name}.bak").read_text() == content
    assert Session(tmp_path).load()
    assert remembered("lora_folder", tmp_path) == "/a"
    assert [path.name for path in tmp_path.glob("*.bak*")] == [f"{name}.bak"]
