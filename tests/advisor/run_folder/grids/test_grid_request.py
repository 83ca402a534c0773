from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import RunError
from advisor.run_folder.grids.grid_request import REQUEST_NAME, GridRequest, RequestedLora, read_request, write_request
from advisor.settings.config import blank_config

REQUEST = GridRequest(
    config=blank_config(model="/models/a.safetensors", family="sd1"),
    loras=(RequestedLora(epoch=3, path="/run/model/a.safetensors"),),
    prompts=("zuvi", "a park"),
    seeds=(42, 43),
    weights=(0.6, 1.0),
    folder="/run",
)


def test_a_request_comes_back(tmp_path: Path) -> None:
    write_request(tmp_path, REQUEST)

    assert read_request(tmp_path) == REQUEST


def test_a_runs_grid_lies_within_it_and_a_loras_in_its_own_folder(tmp_path: Path) -> None:
    of_run = REQUEST.model_copy(update={"folder": str(tmp_path)})

    assert of_run.paths.record == tmp_path / "grid" / "grid.json"
    assert of_run.model_copy(update={"is_run": False}).paths.record == tmp_path / "grid.json"


@pytest.mark.parametrize(
    "change",
    [{"seeds": [-1]}, {"weights": [1e30]}, {"prompts": ["a"] * 65}, {"config": {}}, {"loras": [{"epoch": 1}]}],
)
def test_a_damaged_request_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    write_request(tmp_path, REQUEST)
    path = tmp_path / REQUEST_NAME
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | change), "utf-8")

    with pytest.raises(RunError, match=r"request\.json cannot be read \("):
        read_request(tmp_path)
