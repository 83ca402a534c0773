from __future__ import annotations

from pathlib import Path

import pytest

from advisor.errors import RunError
from advisor.run_folder.pictures.tag_request import (
    PictureTags,
    PictureToTag,
    TagAnswer,
    TagRequest,
    read_fetched,
    read_tag_answer,
    read_tag_request,
    write_fetched,
    write_tag_answer,
    write_tag_request,
)


def test_request_and_answer_are_read_as_they_were_written(tmp_path: Path) -> None:
    request = TagRequest(
        model="/m.onnx",
        pictures=(PictureToTag(path="/\udce4.png", crop=(1, 2, 3, 4)),),
        run="/run",
        device="cpu",
        batch=2,
    )
    answer = TagAnswer(pictures=(PictureTags.of("/a.png", {7: 0.5, 2: 0.25}),), provider="X", num_computed=1)
    write_tag_request(tmp_path, request)
    write_tag_answer(tmp_path, answer)

    assert read_tag_request(tmp_path) == request
    assert read_tag_answer(tmp_path) == answer
    assert read_tag_answer(tmp_path).pictures[0].confidences == {7: 0.5, 2: 0.25}


def test_a_damaged_answer_is_named(tmp_path: Path) -> None:
    (tmp_path / "tags.json").write_text('{"pictures": [{"path": "/a.png", "places": [1], "shares": []}]}')

    with pytest.raises(RunError, match=r"tags.json cannot be read .*each tag has one share"):
        read_tag_answer(tmp_path)


def test_where_a_fetched_model_lies_is_told(tmp_path: Path) -> None:
    write_fetched(tmp_path, tmp_path / "model.onnx")

    assert read_fetched(tmp_path) == tmp_path / "model.onnx"
