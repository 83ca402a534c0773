"""What the finished base model can do, and how far the demo's scores can be trusted: figures and a sheet to look at."""

import json
import os
import platform
import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
import transformers
from diffusers import AutoencoderKL, StableDiffusionPipeline
from PIL import Image

from benchmarks.demo_model.avatar import Drawing, base_drawing
from benchmarks.demo_model.characters import character_drawings, helper_drawing
from benchmarks.demo_model.data import Pixels
from benchmarks.demo_model.draw import draw
from benchmarks.demo_model.folder import read_folder
from benchmarks.demo_model.pen import SIDE_PX
from benchmarks.demo_model.reading import attributes_shown
from benchmarks.demo_model.vae import reconstruction_psnr
from trainer.demo.score import ScoreData, identity, obedience, read_score_data

SAMPLES = 64
BATCH = 16
GUIDANCE = 4.0
FRESH = 7_000_000
"""Added to the seed, so that no picture of the evaluation was ever trained on."""
STAGES = ("vae", "refine", "denoiser", "decoder")


def sample(
    pipeline: StableDiffusionPipeline, captions: Sequence[str], *, steps: int, seed: int, guidance: float = GUIDANCE
) -> list[Image.Image]:
    """A picture for each caption, its noise drawn with `seed` + the caption's number."""
    pictures: list[Image.Image] = []
    for start in range(0, len(captions), BATCH):
        chunk = list(captions[start : start + BATCH])
        dice = [torch.Generator().manual_seed(seed + start + index) for index in range(len(chunk))]
        with torch.inference_mode():
            made = pipeline(chunk, num_inference_steps=steps, guidance_scale=guidance, generator=dice)
        pictures += made.images
    return pictures


def _pixels(drawings: Sequence[Drawing]) -> Pixels:
    return np.stack([np.asarray(draw(drawing)) for drawing in drawings])


def _captions(drawings: Sequence[Drawing]) -> list[str]:
    return [", ".join(drawing.tags) for drawing in drawings]


def attribute_shares(pictures: Sequence[Pixels], drawings: Sequence[Drawing]) -> dict[str, float]:
    """How often each attribute is shown as asked for, and how often all of a picture's are (`all`)."""
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for picture, drawing in zip(pictures, drawings, strict=True):
        shown = attributes_shown(picture, drawing.avatar)
        for field, kept in {**shown, "all": all(shown.values())}.items():
            right[field] += kept
            total[field] += 1
    return {field: round(right[field] / total[field], 4) for field in total}


def codec_figures(vae: AutoencoderKL, seed: int) -> dict[str, float]:
    """PSNR in dB of fresh base pictures, helpers and the character, through the codec."""
    dice = random.Random(seed + FRESH)
    kinds = {
        "base": [base_drawing(dice) for _ in range(64)],
        "helpers": [helper_drawing(dice) for _ in range(64)],
        "character": character_drawings(24, seed + FRESH),
    }
    return {kind: round(reconstruction_psnr(vae, _pixels(drawings)), 2) for kind, drawings in kinds.items()}


def score_figures(data: ScoreData, seed: int) -> dict[str, float]:
    """What the scores say about real drawings, where the right answer is known."""
    dice = random.Random(seed + 2 * FRESH)
    people, character = [base_drawing(dice) for _ in range(1000)], character_drawings(200, seed + FRESH)
    base_pixels, own_pixels = _pixels(people), _pixels(character)
    own, others = [identity(picture, data) for picture in own_pixels], [identity(one, data) for one in base_pixels]
    captions = _captions(people)
    return {
        "identity_of_character_mean": round(float(np.mean(own)), 4),
        "identity_of_character_least": round(min(own), 4),
        "identity_of_base_mean": round(float(np.mean(others)), 4),
        "identity_of_base_most": round(max(others), 4),
        "obedience_of_base": round(obedience(list(base_pixels), captions, data), 4),
        "obedience_with_captions_of_others": round(obedience(list(base_pixels[1:]), captions[:-1], data), 4),
        "background_of_character": round(obedience(list(own_pixels), _captions(character), data, noun="background"), 4),
    }


def sample_figures(
    pipeline: StableDiffusionPipeline, data: ScoreData, seed: int, steps: int
) -> tuple[dict[str, Any], list[Image.Image]]:
    """How well fresh captions are obeyed at this number of steps, with the pictures."""
    dice = random.Random(seed + 3 * FRESH)
    drawings = [base_drawing(dice) for _ in range(SAMPLES)]
    start = time.monotonic()
    pictures = sample(pipeline, _captions(drawings), steps=steps, seed=seed)
    seconds = time.monotonic() - start
    pixels = [np.asarray(picture) for picture in pictures]
    figures = {
        "steps": steps,
        "guidance": GUIDANCE,
        "pictures": SAMPLES,
        "seconds_per_picture": round(seconds / SAMPLES, 3),
        "obedience_by_colour": round(obedience(pictures, _captions(drawings), data), 4),
        "identity_by_colour": round(float(np.mean([identity(picture, data) for picture in pictures])), 4),
        "attributes_by_drawing": attribute_shares(pixels, drawings),
    }
    return figures, pictures


def contact_sheet(pictures: Sequence[Image.Image], columns: int = 8, gap_px: int = 2) -> Image.Image:
    """The pictures side by side on white."""
    pitch = SIDE_PX + gap_px
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * pitch - gap_px, rows * pitch - gap_px), "white")
    for index, picture in enumerate(pictures):
        sheet.paste(picture, (index % columns * pitch, index // columns * pitch))
    return sheet


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    cpu = Path("/proc/cpuinfo")
    flags = cpu.read_text(encoding="utf-8") if cpu.exists() else ""
    models = [line.partition(":")[2].strip() for line in flags.splitlines() if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "bfloat16_instructions": "avx512_bf16" in flags or "amx_bf16" in flags,
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "transformers": transformers.__version__,
    }


def evaluate(out: Path, work: Path, results: Path, seed: int) -> None:
    """Writes `demo_model.json` and `demo_model.png` into `results`."""
    pipeline, data = read_folder(out / "model"), read_score_data(out / "score.json")
    by_steps = [sample_figures(pipeline, data, seed, steps) for steps in (16, 8)]
    drawings = [base_drawing(random.Random(seed + 4 * FRESH + index)) for index in range(SAMPLES)]
    training = {
        name: json.loads((work / f"{name}.json").read_text()) for name in STAGES if (work / f"{name}.json").exists()
    }
    figures = {
        "command": "python -m benchmarks.demo_model all --work FOLDER",
        "seed": seed,
        "machine": machine(),
        "training": training,
        "model_bytes": sum(path.stat().st_size for path in (out / "model").rglob("*") if path.is_file()),
        "codec_psnr_db": codec_figures(pipeline.vae, seed),
        "samples": [figures for figures, _ in by_steps],
        "attributes_of_real_drawings": attribute_shares(list(_pixels(drawings)), drawings),
        "scores_on_real_drawings": score_figures(data, seed),
    }
    results.mkdir(parents=True, exist_ok=True)
    (results / "demo_model.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    contact_sheet(by_steps[0][1][:32]).quantize(256).save(results / "demo_model.png", optimize=True)
