"""`loracle check` on a folder as people have them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.support.pictures import make_pictures
from wizard.commands.check import check


def sloppy_folder(folder: Path) -> Path:
    make_pictures(folder, 4, captions=["mia, smile", "mia\nsmile", "", "mia"])
    (folder / "picture-004.txt").unlink()
    Image.new("RGBA", (512, 512), (0, 0, 0, 0)).save(folder / "cut out.png")
    (folder / "cut out.txt").write_text("mia", "utf-8")
    return folder


def test_which_pictures_lack_a_caption_and_which_are_transparent_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(str(sloppy_folder(tmp_path)))

    told = capsys.readouterr().out
    assert "without one: picture-004.png" in told
    assert "empty: picture-003.png" in told
    assert "of several lines: picture-002.png" in told
    assert "transparent in places, trained as white: cut out.png" in told


def test_the_document_names_them_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(str(sloppy_folder(tmp_path)), as_json=True)

    document = json.loads(capsys.readouterr().out)
    assert (document["without_caption"], document["empty_captions"]) == (["picture-004.png"], ["picture-003.png"])
    assert (document["several_lines"], document["transparent"]) == (["picture-002.png"], ["cut out.png"])
