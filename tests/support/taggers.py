"""Taggers: the small one that was trained on the demo's world, and made-up ones whose answers are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.demo_tagger.onnx_writer import Dimension, Value, model, node
from tests.support.paths import REPOSITORY

DEMO_TAGGER = REPOSITORY / "tests" / "data" / "tagger"
"""Its folder: model.onnx and selected_tags.csv."""
COLOURS = (("blue_background", 0), ("green_background", 0), ("red_(colour)", 4))
"""What a made-up tagger knows, with categories: how much of each channel a picture has on average."""
SIDE_PX = 32


def colour_model(
    *,
    shape: Sequence[Dimension] = ("batch", SIDE_PX, SIDE_PX, 3),
    dtype: str = "float32",
    outputs: int | None = len(COLOURS),
    scale: float = 255.0,
) -> bytes:
    """A tagger whose shares are the means of blue, green and red, each divided by `scale`."""
    is_last = shape[-1] == 3
    nodes = [node("Cast", ["input"], ["single"], to=1)]
    nodes.append(node("Transpose", ["single"], ["channels"], perm=[0, 3, 1, 2] if is_last else [0, 1, 2, 3]))
    nodes.append(node("GlobalAveragePool", ["channels"], ["means"]))
    nodes.append(node("Flatten", ["means"], ["flat"]))
    nodes.append(node("Div", ["flat", "scale"], ["output"]))
    weights = {"scale": np.array(scale, np.float32)}
    return model(nodes, weights, [Value("input", shape, dtype)], [Value("output", [shape[0], outputs])])


def tag_lines(tags: Sequence[tuple[str, int]] = COLOURS) -> str:
    """A list of tags."""
    lines = [f"{place},{name},{category},100" for place, (name, category) in enumerate(tags)]
    return "\n".join(["tag_id,name,category,count", *lines]) + "\n"


def write_tagger(folder: Path, content: bytes | None = None, tags: Sequence[tuple[str, int]] = COLOURS) -> Path:
    """Write a tagger into a folder, by default one of `colour_model`; its ONNX file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(colour_model() if content is None else content)
    (folder / "selected_tags.csv").write_text(tag_lines(tags), encoding="utf-8")
    return folder / "model.onnx"
