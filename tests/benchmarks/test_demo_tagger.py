from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.demo_tagger.network import SmallTagger, onnx_of
from benchmarks.demo_tagger.world import all_tags, general_tags, pictures, pooled, targets
from tests.support.paths import REPOSITORY
from tests.support.taggers import DEMO_TAGGER, tag_lines
from trainer.demo.assets import CHARACTER_FOLDER
from trainer.tagging.session import onnx_runtime


def test_the_written_model_computes_what_was_trained(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = SmallTagger(5)
    network.train()
    network(torch.rand(8, 3, 112, 112))  # so that the normalisation has means and deviations of its own
    network.eval()
    (tmp_path / "model.onnx").write_bytes(onnx_of(network))
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (128, 128, 3), dtype=np.uint8))
    large = np.asarray(image.resize((448, 448), Image.Resampling.BICUBIC), dtype=np.float32)[None, :, :, ::-1]

    session = onnx_runtime().InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(["output"], {"input": np.ascontiguousarray(large)})

    with torch.no_grad():
        expected = network(torch.from_numpy(pooled(image)).float()[None]).sigmoid().numpy()
    assert found == pytest.approx(expected, abs=5e-3)


def test_the_list_beside_the_model_is_that_of_the_world() -> None:
    lines = (DEMO_TAGGER / "selected_tags.csv").read_text().splitlines()

    assert [line.split(",")[1:3] for line in lines] == [
        line.split(",")[1:3] for line in tag_lines(all_tags()).splitlines()
    ]


def test_every_tag_of_the_demos_captions_can_be_told() -> None:
    captions = [path.read_text().strip().split(", ")[1:] for path in CHARACTER_FOLDER.glob("*.txt")]

    assert {tag.replace(" ", "_") for tags in captions for tag in tags} <= set(general_tags())


def test_pictures_have_the_tags_of_what_they_show_and_come_the_same_again() -> None:
    names = [name for name, _ in all_tags()]
    first, again = list(pictures(20, 3)), list(pictures(20, 3))

    assert [one.tags for one in first] == [one.tags for one in again]
    wanted = targets(first, names)
    assert wanted.shape == (20, 77)
    assert (wanted[:, names.index("general")] == 1).all()
    assert (wanted[:, names.index("solo")] + wanted[:, names.index("no_humans")] == 1).all()


def test_the_asset_is_small_and_as_good_as_the_decision_says() -> None:
    figures = json.loads((REPOSITORY / "benchmarks" / "results" / "demo_tagger.json").read_text())
    page = (REPOSITORY / "docs" / "decisions" / "0042-tagging.md").read_text()

    assert (DEMO_TAGGER / "model.onnx").stat().st_size == figures["bytes"] < 300_000
    assert f"precision of {figures['precision']} and a recall of {figures['recall']}" in page
