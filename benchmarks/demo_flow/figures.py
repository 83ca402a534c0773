"""What the small flow model and its LoRA came to, as JSON and as a sheet of pictures."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from advisor.run_folder.layout import RunFolder
from benchmarks.demo_flow.vae import Codec
from benchmarks.demo_model.avatar import base_drawing
from benchmarks.demo_model.characters import character_drawings
from benchmarks.demo_model.draw import draw
from benchmarks.demo_model.evaluate import FRESH, machine
from benchmarks.demo_model.vae import psnr, to_pixels, to_tensor
from trainer.demo.score import mean_identity, read_score_data

COMMAND = "python -m benchmarks.demo_flow all --work FOLDER"
FRESH_PICTURES = 24


def write_figures(
    results: Path, settings: Mapping[str, Any], took: Mapping[str, Any], *, codec: Codec, run: Path
) -> None:
    """Writes `demo_flow.json` and `demo_flow.png` into `results`.

    Args:
        results: A folder that is there.
        settings: What was made, and how much.
        took: Seconds of each stage.
        codec: The finished VAE.
        run: The LoRA's run, drawn and scored.
    """
    folder = RunFolder(run)
    kept = {
        "command": COMMAND,
        "machine": machine(),
        "settings": settings,
        "took": took,
        "codec": codec_figures(codec, settings["seed"]),
        "scores": {name: round(value, 4) for name, value in asdict(folder.read_demo_scores()).items()},
    }
    (results / "demo_flow.json").write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    with Image.open(folder.before_after) as sheet:
        sheet.convert("RGB").quantize(256).save(results / "demo_flow.png", optimize=True)


@torch.no_grad()
def codec_figures(codec: Codec, seed: int) -> dict[str, float]:
    """PSNR in dB of fresh pictures through the VAE, and the identity of the character's: a LoRA gets no further."""
    dice = random.Random(seed + FRESH)
    people = [base_drawing(dice) for _ in range(FRESH_PICTURES)]
    figures = {}
    for name, drawings in (("people", people), ("character", character_drawings(FRESH_PICTURES, seed + FRESH))):
        real = to_tensor(np.stack([np.asarray(draw(drawing)) for drawing in drawings]))
        made = codec.decoded(codec.moments(real)[0]).clamp(-1, 1)
        figures[f"psnr_of_{name}"] = round(psnr(made, real), 2)
    figures["identity_of_character"] = round(mean_identity(list(to_pixels(made)), read_score_data()), 4)
    return figures
