from __future__ import annotations

import os
from pathlib import Path

import pytest

from wizard.interview.paths import absolute_path, given_path, plain_path


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ("/home/me/pics", "/home/me/pics"),
        ("  /home/me/pics \n", "/home/me/pics"),
        ("'/home/me/my pics'", "/home/me/my pics"),
        ('"/home/me/my pics"', "/home/me/my pics"),
        ("/home/me/my\\ pics\\ \\(2\\)", "/home/me/my pics (2)"),
        ("'/home/me/it'\\''s mine'", "/home/me/it's mine"),
        ("file:///home/me/my%20pics/%C3%BC", "/home/me/my pics/ü"),
        ("file://localhost/home/me", "/home/me"),
        ("file:/home/me", "/home/me"),
        ("'file:///home/me/a b'", "/home/me/a b"),
        ("/home/me/Bilder/Füchse 🦊", "/home/me/Bilder/Füchse 🦊"),
        ("\u202a/home/me", "/home/me"),
        ("C:\\Users\\me\\pics", "C:\\Users\\me\\pics"),
        ("'", "'"),
        ("", ""),
    ],
)
def test_paths_lose_what_a_posix_terminal_wraps_around_them(typed: str, path: str) -> None:
    assert plain_path(typed, windows=False) == path


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ("C:\\Users\\me\\pics", "C:\\Users\\me\\pics"),
        ('"C:\\Users\\me\\my pics"', "C:\\Users\\me\\my pics"),
        ("& 'C:\\Users\\me\\it''s mine'", "C:\\Users\\me\\it's mine"),
        ('& "D:\\a b"', "D:\\a b"),
        ("C:\\models\\_old\\(1)", "C:\\models\\_old\\(1)"),
        ("file:///C:/Users/me/a%20b", "C:/Users/me/a b"),
        ("file://server/share/pics", "//server/share/pics"),
        ("\\\\server\\share", "\\\\server\\share"),
        ("\u202aC:\\Users\\me\\Füchse 🦊", "C:\\Users\\me\\Füchse 🦊"),
    ],
)
def test_paths_lose_what_a_windows_terminal_wraps_around_them(typed: str, path: str) -> None:
    assert plain_path(typed, windows=True) == path


def test_the_home_folder_is_written_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))

    assert given_path("~/pics") == tmp_path / "pics"


def test_an_absolute_path_keeps_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert absolute_path("a/../b") == Path(os.getcwd()) / "b"  # noqa: PTH109
