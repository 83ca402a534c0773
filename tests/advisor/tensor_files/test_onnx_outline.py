from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.errors import ModelError
from advisor.tensor_files.onnx_outline import OnnxValue, read_onnx_outline
from benchmarks.demo_tagger.onnx_writer import Value, message, model, node
from tests.support.taggers import DEMO_TAGGER, colour_model

WEIGHT = {"w": np.ones(4, np.float32)}
GIVEN, TOLD = [Value("input", [None, 4])], [Value("output", ["n", 4])]


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    return path


def adding(locations: dict[str, str] | None = None, domain: str = "", operator: str = "Add") -> bytes:
    nodes = [node(operator, ["input", "w"], ["output"], domain=domain)]
    return model(nodes, WEIGHT, GIVEN, TOLD, locations=locations, domains=[domain] if domain else [])


def test_the_demos_tagger_takes_a_picture_and_gives_a_share_for_each_tag() -> None:
    outline = read_onnx_outline(DEMO_TAGGER / "model.onnx")

    assert outline.inputs == (OnnxValue("input", "float32", (None, 448, 448, 3)),)
    assert outline.outputs == (OnnxValue("output", "float32", (None, 77)),)
    assert outline.weight_files == ()


def test_weights_that_are_listed_as_inputs_are_none(tmp_path: Path) -> None:
    nodes = [node("Add", ["input", "w"], ["output"])]
    path = written(tmp_path, model(nodes, WEIGHT, [*GIVEN, Value("w", [4])], TOLD))

    assert [one.name for one in read_onnx_outline(path).inputs] == ["input"]


def test_weights_in_a_file_beside_it_are_named(tmp_path: Path) -> None:
    (tmp_path / "model.onnx_data").write_bytes(bytes(16))

    outline = read_onnx_outline(written(tmp_path, adding({"w": "model.onnx_data"})))

    assert outline.weight_files == (tmp_path / "model.onnx_data",)


@pytest.mark.parametrize(
    "location", ["/etc/passwd", "../secret", "a/../../secret", "C:\\secret", "\\\\host\\share", "..\\secret"]
)
def test_weights_outside_of_the_models_folder_are_not_opened(tmp_path: Path, location: str) -> None:
    with pytest.raises(ModelError, match="outside of its own folder"):
        read_onnx_outline(written(tmp_path, adding({"w": location})))


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"in model.onnx_data, which is not beside it"):
        read_onnx_outline(written(tmp_path, adding({"w": "model.onnx_data"})))


def test_weights_within_a_nodes_attribute_are_looked_at_too(tmp_path: Path) -> None:
    tensor = message(5, message(13, message(1, "location") + message(2, "/etc/passwd")))
    inner = message(1, message(5, tensor) + message(4, "Constant") + message(2, "c"))
    content = model([node("Add", ["input", "w"], ["output"]), inner], WEIGHT, GIVEN, TOLD)

    with pytest.raises(ModelError, match="outside of its own folder"):
        read_onnx_outline(written(tmp_path, content))


def test_operators_of_others_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"needs operators of evil\.example"):
        read_onnx_outline(written(tmp_path, adding(domain="evil.example")))


def test_operators_of_onnxruntime_itself_are_no_strangers(tmp_path: Path) -> None:
    assert read_onnx_outline(written(tmp_path, adding(domain="com.microsoft", operator="BiasGelu"))).inputs


def test_an_operator_that_runs_other_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="EPContext, which runs what is not in it"):
        read_onnx_outline(written(tmp_path, adding(domain="com.microsoft", operator="EPContext")))


def test_a_text_a_picture_and_a_page_of_a_web_site_are_no_models(tmp_path: Path) -> None:
    for content in (
        b"version https://git-lfs.github.com/spec/v1\n",
        b"\x89PNG\r\n\x1a\n" + bytes(50),
        b"<!doctype html>",
    ):
        with pytest.raises(ModelError, match="is no ONNX"):
            read_onnx_outline(written(tmp_path, content))


def test_a_model_that_is_cut_off_or_empty_is_refused(tmp_path: Path) -> None:
    whole = colour_model()

    with pytest.raises(ModelError, match="damaged one"):
        read_onnx_outline(written(tmp_path, whole[:-20]))
    with pytest.raises(ModelError, match="is empty"):
        read_onnx_outline(written(tmp_path, b""))


def test_a_file_larger_than_the_format_allows_is_not_read(tmp_path: Path) -> None:
    path = written(tmp_path, b"")
    os.truncate(path, 2**31 + 1)

    with pytest.raises(ModelError, match="more than an ONNX file can have"):
        read_onnx_outline(path)


def test_a_file_that_is_not_there_and_a_pipe_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        read_onnx_outline(tmp_path / "none.onnx")
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(ModelError, match="it is a pipe"):
        read_onnx_outline(tmp_path / "pipe.onnx")


def test_parts_that_lie_in_one_another_without_end_are_given_up(tmp_path: Path) -> None:
    content = b""
    for _ in range(200):
        content = message(1, message(5, message(6, content)))

    with pytest.raises(ModelError, match="too deep in one another"):
        read_onnx_outline(written(tmp_path, message(7, content)))


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_bent_model_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    content = bytearray(colour_model())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
        content[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("bent") / "model.onnx"
    path.write_bytes(bytes(content))

    with suppress(ModelError):
        assert read_onnx_outline(path).inputs
