from __future__ import annotations

from pathlib import Path

from advisor.same_place import is_same, lies_in, resolved
from tests.support.special_files import on_posix

pytestmark = on_posix  # links need no rights there


def test_links_are_followed_to_the_place_they_name(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")

    assert resolved(tmp_path / "link" / "a") == (tmp_path / "there" / "a").resolve()
    assert is_same(tmp_path / "link", tmp_path / "there")
    assert lies_in(tmp_path / "link" / "a", tmp_path / "there")


def test_links_that_lead_round_in_a_ring_are_nowhere(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("other")
    (tmp_path / "other").symlink_to("one")

    assert resolved(tmp_path / "one" / "a").is_absolute()
    assert not is_same(tmp_path / "one", tmp_path)
    assert not lies_in(tmp_path, tmp_path / "one")
