"""States whose checksums are right and whose tensors are not: refused by the file's name, never a traceback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor

from advisor.errors import LoraError
from advisor.settings.config import TrainingConfig, changed
from tests.support.runs import run_training

Tree = dict[str, Any]


def go_on(
    finished: tuple[Path, TrainingConfig],
    folder: Path,
    *,
    weights: Callable[[dict[str, Tensor]], object] = lambda _: None,
    optimizer: Callable[[Tree], object] = lambda _: None,
) -> None:
    """Change the newest state of a finished run, put its checksums right, and train an epoch more."""
    source, config = finished
    shutil.copytree(source, folder / "run")
    state = max((folder / "run" / "state").glob("step-*"))
    tensors = load((state / "weights.safetensors").read_bytes())
    weights(tensors)
    (state / "weights.safetensors").write_bytes(save(tensors))
    tree = torch.load(state / "optimizer.pt", weights_only=True)
    optimizer(tree["optimizer"])
    torch.save(tree, state / "optimizer.pt")
    manifest = json.loads((state / "manifest.json").read_text("utf-8"))
    for name in manifest["files"]:
        content = (state / name).read_bytes()
        manifest["files"][name] = {"bytes": len(content), "sha256": sha256(content).hexdigest()}
    (state / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    longer = changed(config, "schedule.epochs", config.schedule.epochs + 1)
    run_training(folder / "run", longer, resume=True)


def test_a_state_put_together_again_is_gone_on_with(finished: tuple[Path, TrainingConfig], tmp_path: Path) -> None:
    go_on(finished, tmp_path)


@pytest.mark.parametrize(
    "bend", [lambda one: one.reshape(-1), lambda _: torch.zeros(0), lambda one: one[:1], lambda one: one[..., None]]
)
def test_weights_of_another_shape_are_refused(
    finished: tuple[Path, TrainingConfig], tmp_path: Path, bend: Callable[[Tensor], Tensor]
) -> None:
    def change(weights: dict[str, Tensor]) -> None:
        name = next(name for name, one in weights.items() if one.ndim == 2)
        weights[name] = bend(weights[name]).contiguous()

    with pytest.raises(LoraError, match="The state is of another LoRA"):
        go_on(finished, tmp_path, weights=change)


@pytest.mark.parametrize(
    "bend",
    [
        lambda memory: memory["state"][0].update(exp_avg=torch.zeros(3)),
        lambda memory: memory["state"][0].update(exp_avg="x"),
        lambda memory: memory["state"][0].update(step="x"),
        lambda memory: memory["state"][0].pop("exp_avg_sq"),
        lambda memory: memory["state"].update({0: [1]}),
        lambda memory: memory["param_groups"][0].update(betas=5),
        lambda memory: memory["param_groups"][0].pop("eps"),
        lambda memory: memory["param_groups"][0].update(params=5),
        lambda memory: memory["param_groups"].append({"lr": 1}),
        lambda memory: memory.update(param_groups=None),
        lambda memory: memory.pop("state"),
    ],
)
def test_an_optimizers_memory_of_another_form_is_refused(
    finished: tuple[Path, TrainingConfig], tmp_path: Path, bend: Callable[[Tree], object]
) -> None:
    with pytest.raises(LoraError, match=r"another optimizer|optimizer\.pt in the run's newest state does not fit"):
        go_on(finished, tmp_path, optimizer=bend)
