"""Run folders with all that a report tells of: pictures of a grid, scores, a choice, curves, warnings."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from PIL import Image

from advisor.choosing.cells import Cell, Choice, EpochScores, Interval, PictureScores
from advisor.planning.document import plan_document
from advisor.planning.planner import make_plan
from advisor.run_folder.grids.grid_record import GridRecord
from advisor.run_folder.layout import RunFolder
from tests.support.factories import make_facts

PROMPTS = ("mira, 1girl, smile, outdoors", "mira", "mira, riding a horse, sunset", "1girl, blue hair, smile")
"""The last has no trigger."""

Draw = Callable[[int, int, int], Image.Image]
"""(epoch, prompt, seed) -> picture"""


def flat(epoch: int, prompt: int, seed: int) -> Image.Image:
    """A picture of one colour, another for each place."""
    return Image.new("RGB", (16, 16), (25 * epoch % 256, 60 * prompt % 256, 40 * seed % 256))


def choice(**changes: Any) -> Choice:
    """A choice of epoch 6, as good as 7."""
    given: dict[str, Any] = {
        "verdict": "tied", "epoch": 6, "weight": 1.0, "tied": (6, 7), "runner_up": 7, "burnt_from": 9,
        "confidence": 0.92, "reason": "Epoch 6 has the likeness of the best (0.41 of 0.42) and leaks less.",
    }  # fmt: skip
    return Choice(**given | changes)


def scores(epochs: int, weight: float = 1.0) -> tuple[EpochScores, ...]:
    """Scores that rise, and leak that rises later."""
    found = []
    for epoch in range(1, epochs + 1):
        like, leak = 0.42 * (1 - 0.6**epoch), 0.004 * epoch**2
        values = {"likeness": (like, 0.05), "obedience": (1 - leak, 0.03), "leak": (leak, 0.02), "damage": (leak, 0.03)}
        intervals = {name: Interval(value, value - error, value + error) for name, (value, error) in values.items()}
        found.append(EpochScores(epoch, weight, intervals))  # type: ignore[arg-type]
    return tuple(found)


def write_grid(
    run: Path,
    *,
    epochs: int = 10,
    prompts: Sequence[str] = PROMPTS,
    seeds: Sequence[int] = (1, 2),
    weights: Sequence[float] = (1.0,),
    chosen: Choice | None = None,
    draw: Draw = flat,
) -> GridRecord:
    """A grid in a run folder, its pictures drawn by `draw`."""
    folder = RunFolder(run)
    cells = list[Cell]()
    for epoch in range(epochs + 1):
        for weight in weights if epoch else (0.0,):
            for prompt in range(len(prompts)):
                for seed in seeds:
                    key = sha256(f"{epoch} {weight} {prompt} {seed}".encode()).hexdigest()
                    path = folder.grid.picture(key)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    draw(epoch, prompt, seed).save(path, compress_level=1)
                    cells.append(Cell(epoch, weight, prompt, seed, f"pictures/{key}.png"))
    record = GridRecord(
        model="base.safetensors", trigger="mira", prompts=tuple(prompts), seeds=tuple(seeds), cells=tuple(cells),
        picture_scores=tuple(PictureScores(one.epoch, one.weight, one.prompt, one.seed, {}) for one in cells),
        scores=tuple(one for weight in weights for one in scores(epochs, weight)), choice=chosen,
    )  # fmt: skip
    folder.write_grid(record)
    return record


def write_trained_run(
    run: Path, *, epochs: int = 10, trigger: str = "mira", name: str = "mira", **settings: Any
) -> Path:
    """A run that was trained to its end: plan, list of images, events, LoRAs of a few bytes."""
    facts = make_facts(trigger=trigger, name=name, **settings)
    document = plan_document(facts, make_plan(facts))
    for folder in ("log", "images", "model"):
        (run / folder).mkdir(parents=True, exist_ok=True)
    (run / "plan.json").write_text(json.dumps(document), "utf-8")
    captions = [
        f"{trigger}, 1girl, red hair, {'smile' if number % 2 else 'standing'}, outdoors" for number in range(30)
    ]
    lines = [{"path": f"/p/{number}.png", "size": [768, 1024], "bucket": [[512, 640], [576, 576]][number % 2],
              "repeats": 4, "caption": caption} for number, caption in enumerate(captions)]  # fmt: skip
    (run / "images" / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    (run / "log" / "events.jsonl").write_text(
        "".join(json.dumps(e) + "\n" for e in _events(run, epochs, name)), "utf-8"
    )
    return run


def _events(run: Path, epochs: int, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"event": "started"}]
    steps = epochs * 30
    for step in range(1, steps + 1):
        epoch, left = (step - 1) // 30 + 1, 1 - step / steps
        loss = 0.08 + 0.05 * 0.99**step + 0.03 * ((step * 7919) % 13 / 13 - 0.5)
        found.append({
            "event": "step", "step": step, "epoch": epoch, "loss": loss, "unet_learning_rate": 1e-4 * left,
            "text_encoder_learning_rate": 5e-5 * left, "seconds": 0.4, "memory_bytes": 5 * 2**30,
        })  # fmt: skip
        if step % 30 == 0:
            found.append({"event": "validation", "step": step, "epoch": epoch, "loss": 0.1 + 0.001 * (epoch - 6) ** 2})
            file = f"model/{name}.safetensors" if epoch == epochs else f"model/{name}-{epoch:06d}.safetensors"
            (run / file).write_bytes(b"x" * 2**20)
            found.append({"event": "saved", "path": file, "step": step, "epoch": epoch})
    found.append({"event": "warning", "code": "much_cropped", "message": "two pictures lose a third of their height"})
    finished = {
        "event": "finished", "steps": steps, "epochs": epochs, "seconds": 480.0, "seconds_per_step": 0.41,
        "peak_memory_bytes": int(5.2 * 2**30), "peak_reserved_bytes": int(5.9 * 2**30),
    }  # fmt: skip
    return [*found, finished]
