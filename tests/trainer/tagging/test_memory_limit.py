"""A tagger that asks for more memory than is free ends as a message, and costs no other program its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from advisor.run_folder.pictures.tag_request import PictureToTag, TagRequest, write_tag_request
from benchmarks.demo_tagger.onnx_writer import Value, model, node
from tests.support.paths import REPOSITORY
from tests.support.pictures import draw_picture
from tests.support.taggers import SIDE_PX, write_tagger

FREE_BYTES, WANTED_FLOATS = 2**29, 2**29
"""Half a GiB is free; two are asked for."""
TAGGING = f"""
import sys
from trainer.tagging import memory_limit, run
memory_limit.free_memory_bytes = lambda: {FREE_BYTES}
sys.exit(run.main([sys.argv[1]]))
"""


def greedy_model() -> bytes:
    """A tagger that repeats its three numbers until they fill `WANTED_FLOATS` floats."""
    nodes = [
        node("Transpose", ["input"], ["channels"], perm=[0, 3, 1, 2]),
        node("GlobalAveragePool", ["channels"], ["means"]),
        node("Flatten", ["means"], ["flat"]),
        node("Tile", ["flat", "times"], ["many"]),
        node("ArgMax", ["many"], ["place"], axis=1, keepdims=1),
        node("Cast", ["place"], ["number"], to=1),
        node("Mul", ["number", "nothing"], ["zero"]),
        node("Div", ["flat", "scale"], ["shares"]),
        node("Add", ["shares", "zero"], ["output"]),
    ]
    weights: dict[str, Any] = {
        "times": np.array([1, WANTED_FLOATS // 3], np.int64),
        "nothing": np.array(0.0, np.float32),
        "scale": np.array(255.0, np.float32),
    }
    return model(nodes, weights, [Value("input", [1, SIDE_PX, SIDE_PX, 3])], [Value("output", [1, 3])])


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count no memory of a process alone")
def test_a_tagger_that_wants_more_than_is_free_is_refused_in_a_sentence(tmp_path: Path) -> None:
    file = write_tagger(tmp_path / "tagger", greedy_model())
    picture = draw_picture(tmp_path / "a.png", (64, 64))
    request = TagRequest(model=str(file), pictures=(PictureToTag(path=str(picture)),), device="cpu", threads=1)
    write_tag_request(tmp_path, request)

    ended = subprocess.run(
        [sys.executable, "-c", TAGGING, str(tmp_path)], capture_output=True, text=True, timeout=250, check=False,
        cwd=REPOSITORY, env={**os.environ, "LORACLE_DATA": str(tmp_path / "data"), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip

    assert ended.returncode == 2, ended.stderr
    assert "There is not enough memory to tag a single picture with this model" in ended.stderr
    assert "Traceback" not in ended.stderr
