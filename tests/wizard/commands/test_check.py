"""`loracle check` on a folder as people have them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from advisor.dataset.edits import PictureEdit
from advisor.errors import DatasetError, LoraError, RunError
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.edits_file import append_change
from advisor.settings.config import parse_config
from tests.support.hostile_pictures import clean_folder
from tests.support.pictures import make_pictures
from tests.support.runs import write_toml
from wizard.commands.check import CheckOptions, check


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
    told = " ".join(told.split())
    assert "1 picture of 5 without a caption (picture-004.png) [caption_missing]" in told
    assert "1 caption empty (picture-003.png) [caption_empty]" in told
    assert "1 caption of several lines (picture-002.png)" in told
    assert "transparent in places, which is trained as white [transparent] cut out.png" in told


def test_the_document_names_them_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(str(sloppy_folder(tmp_path)), CheckOptions(as_json=True))

    document = json.loads(capsys.readouterr().out)
    assert (document["without_caption"], document["empty_captions"]) == (["picture-004.png"], ["picture-003.png"])
    assert (document["several_lines"], document["transparent"]) == (["picture-002.png"], ["cut out.png"])
    finding = next(one for one in document["findings"] if one["code"] == "transparent")
    assert (finding["severity"], finding["files"], finding["waived"]) == ("warning", ["cut out.png"], False)
    assert finding["hint"].startswith("put a background behind it")
    assert document["problems"] == [
        {"path": "picture-003.txt", "code": "empty_caption", "message": document["problems"][0]["message"]}
    ]


def test_a_clean_folder_has_nothing_to_mend_and_stays_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = clean_folder(tmp_path / "pictures")
    for path in folder.iterdir():
        os.utime(path, ns=(10**18, 2 * 10**18))  # read long before it was changed: a read would be noted
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    for path in folder.iterdir():
        os.utime(path, ns=(10**18, 2 * 10**18))

    check(str(folder))

    assert "Nothing to mend." in capsys.readouterr().out
    if sys.platform == "linux":
        assert {path.stat().st_atime_ns for path in folder.iterdir()} == {10**18}
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before


def test_errors_end_a_strict_check(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "pictures")
    half = (folder / "clean-003.png").read_bytes()[:3000]
    check(str(folder), CheckOptions(strict=True))

    (folder / "clean-003.png").write_bytes(half)

    check(str(folder))
    with pytest.raises(DatasetError, match=r"has 1 error: mend or --waive"):
        check(str(folder), CheckOptions(strict=True))


def test_a_waived_finding_is_counted_and_no_longer_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = sloppy_folder(tmp_path)

    check(str(folder), CheckOptions(waive=("transparent", "caption_lines:picture-002.png"), reason="a sprite"))
    first = capsys.readouterr().out
    check(str(folder), CheckOptions(as_json=True))
    findings = json.loads(capsys.readouterr().out)["findings"]

    assert "2 findings waived." in first
    assert "[transparent]" not in first
    assert {one["code"] for one in findings if one["waived"]} == {"transparent", "caption_lines"}


def test_captions_are_measured_by_the_most_tokens_that_a_plan_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = clean_folder(tmp_path / "pictures")
    (folder / "clean-001.txt").write_text("mia, " + "walking down a street, " * 30, encoding="utf-8")
    (folder / "clean-002.txt").write_text("mia, " + "walking down a street, " * 60, encoding="utf-8")

    check(str(folder))

    told = " ".join(capsys.readouterr().out.split())
    assert "1 caption longer than 225 tokens (clean-002.png: 302), whose end is not trained" in told
    assert "max_tokens" not in told


def test_what_a_setting_is_and_where_it_is_given_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(str(sloppy_folder(tmp_path)))

    told = " ".join(capsys.readouterr().out.split())
    assert told.count("`loracle plan ... --set dataset.masks=VALUE` when planning") == 1


def test_a_waiver_needs_a_reason(tmp_path: Path) -> None:
    with pytest.raises(LoraError, match=r"--waive needs a reason"):
        check(str(sloppy_folder(tmp_path)), CheckOptions(waive=("transparent",)))


def test_a_page_is_written_once_and_replaced_only_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, page = sloppy_folder(tmp_path / "pictures"), tmp_path / "page.html"

    check(str(folder), CheckOptions(html=str(page)))

    assert page.read_text("utf-8").count('url("data:image/jpeg;base64,/9j/') == 5
    assert f"The page is {page}" in capsys.readouterr().err
    with pytest.raises(RunError, match=r"is there already: name another file, or give --overwrite"):
        check(str(folder), CheckOptions(html=str(page)))
    page.write_text("old", "utf-8")
    check(str(folder), CheckOptions(html=str(page), overwrite=True))
    assert "<!doctype html>" in page.read_text("utf-8")
    assert page.with_name("page.html.bak").read_text("utf-8") == "old"
    check(str(folder), CheckOptions(html=str(page), overwrite=True))
    assert not page.with_name("page.html.bak2").exists()


def test_a_run_is_looked_at_as_it_is_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = clean_folder(tmp_path / "pictures", 12)
    (folder / "half.png").write_bytes((folder / "clean-003.png").read_bytes()[:3000])
    (folder / "half.txt").write_text("mia, 1girl, standing", "utf-8")
    config = parse_config(
        {
            "model": {"path": str(tmp_path / "base.safetensors"), "family": "sd1"},
            "dataset": {"images": str(folder), "resolution_px": 1024},
            "run": {"trigger": "mira"},
            "saving": {"name": "mira"},
        }
    )
    write_toml(tmp_path / "run" / "loracle.toml", config)
    edits = [PictureEdit((folder / "half.png").as_posix(), excluded="broken")]
    edits.append(PictureEdit((folder / "clean-000.png").as_posix(), caption="mira, 1girl, hat"))
    append_change(RunFolder(tmp_path / "run"), "by hand", edits)

    check(str(tmp_path / "run"), CheckOptions(as_json=True))
    document = json.loads(capsys.readouterr().out)
    check(str(tmp_path / "run"))

    found = {one["code"]: one for one in document["findings"]}
    assert document["excluded"] == [{"path": "half.png", "reason": "broken"}]
    assert "truncated" not in found
    assert "12 pictures much smaller than 1024 x 1024" in found["too_small"]["message"]
    assert len(found["trigger_missing"]["files"]) == 11
    assert "Your edits of this run: 1 caption, 1 picture left out (half.png)" in capsys.readouterr().err
