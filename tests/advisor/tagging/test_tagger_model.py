from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from advisor.errors import ModelError
from advisor.tagging.tagger_model import model_file, read_tagger
from benchmarks.demo_tagger.onnx_writer import Value, model, node
from tests.support.taggers import DEMO_TAGGER, colour_model, tag_lines, write_tagger


def test_the_demos_tagger_is_read_from_its_folder() -> None:
    tagger = read_tagger(DEMO_TAGGER)

    assert (tagger.layout, tagger.side_px, tagger.dtype, tagger.batch) == ("NHWC", 448, "float32", None)
    assert (tagger.input_name, tagger.output_name, len(tagger.tags)) == ("input", "output", 77)
    assert tagger.files == (DEMO_TAGGER / "model.onnx", DEMO_TAGGER / "selected_tags.csv")
    assert tagger.notes == ()


@pytest.mark.parametrize(
    ("shape", "layout", "side", "batch"),
    [
        (("n", 32, 32, 3), "NHWC", 32, None),
        ((1, 3, 64, 64), "NCHW", 64, 1),
        ((4, None, None, 3), "NHWC", 448, 4),
        ((None, 3, "h", "w"), "NCHW", 448, None),
    ],
)
def test_layout_size_and_batch_are_what_the_file_says(
    tmp_path: Path, shape: tuple[Any, ...], layout: str, side: int, batch: int | None
) -> None:
    tagger = read_tagger(write_tagger(tmp_path, colour_model(shape=shape)))

    assert (tagger.layout, tagger.side_px, tagger.batch) == (layout, side, batch)


def test_what_is_unlike_the_usual_taggers_is_said(tmp_path: Path) -> None:
    tagger = read_tagger(write_tagger(tmp_path, colour_model(shape=(1, 3, 64, 64))))

    channels, ratings = tagger.notes
    assert "takes 3 x 64 x 64, unlike the WD14 taggers" in channels
    assert "has no ratings" in ratings


@pytest.mark.parametrize(
    ("shape", "dtype", "told"),
    [
        ((None, 768), "float32", r"it takes \? x 768 of float32"),
        ((None, 32, 64, 3), "float32", "no square of a sane size"),
        ((None, 32, 32, 4), "float32", r"it takes \? x 32 x 32 x 4 of float32"),
        ((None, 9000, 9000, 3), "float32", "no square of a sane size"),
        ((None, 32, 32, 3), "int64", "of int64"),
        ((5000, 32, 32, 3), "float32", "takes 5,000 pictures at once"),
    ],
)
def test_a_model_of_another_kind_is_refused_with_what_it_takes(
    tmp_path: Path, shape: tuple[Any, ...], dtype: str, told: str
) -> None:
    with pytest.raises(ModelError, match=told):
        read_tagger(write_tagger(tmp_path, colour_model(shape=shape, dtype=dtype)))


def test_a_model_with_two_inputs_is_no_tagger(tmp_path: Path) -> None:
    given = [Value("a", [1, 32, 32, 3]), Value("b", [1])]
    content = model([node("Add", ["a", "b"], ["output"])], {}, given, [Value("output", [1, 3])])

    with pytest.raises(ModelError, match="2 things go into it"):
        read_tagger(write_tagger(tmp_path, content))


def test_a_list_of_another_model_is_told_by_its_length(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gives batch|gives \? x 5 of float32, and selected_tags.csv beside it has 3"):
        read_tagger(write_tagger(tmp_path, colour_model(outputs=5)))


def test_an_output_of_any_size_is_taken_as_it_comes(tmp_path: Path) -> None:
    assert read_tagger(write_tagger(tmp_path, colour_model(outputs=None))).output_name == "output"


def test_a_list_under_the_models_own_name_is_its_own_as_in_comfyui(tmp_path: Path) -> None:
    write_tagger(tmp_path)
    (tmp_path / "model.onnx").rename(tmp_path / "wd-vit.onnx")
    (tmp_path / "wd-vit.csv").write_text(tag_lines((("hat", 0), ("cap", 0), ("crown", 0))))

    assert read_tagger(tmp_path / "wd-vit.onnx").tags[0].name == "hat"


def test_a_model_without_a_list_of_tags_is_refused(tmp_path: Path) -> None:
    write_tagger(tmp_path)
    (tmp_path / "selected_tags.csv").unlink()

    with pytest.raises(ModelError, match=r"has no selected_tags\.csv beside it"):
        read_tagger(tmp_path)


def test_a_path_means_the_model_in_it_or_says_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        model_file(tmp_path / "none")
    with pytest.raises(ModelError, match=r"holds no \.onnx file"):
        model_file(tmp_path)
    (tmp_path / "b.onnx").touch()
    assert model_file(tmp_path) == tmp_path / "b.onnx"
    (tmp_path / "a.onnx").touch()
    with pytest.raises(ModelError, match=r"holds several models \(a.onnx, b.onnx\)"):
        model_file(tmp_path)
    (tmp_path / "model.onnx").touch()
    assert model_file(tmp_path) == tmp_path / "model.onnx"
    (tmp_path / "x.safetensors").touch()
    with pytest.raises(ModelError, match=r"is no \.onnx file"):
        model_file(tmp_path / "x.safetensors")
