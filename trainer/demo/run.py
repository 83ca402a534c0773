"""The demo's images: drawn by the base model and by a LoRA from the same noise, and what they score.

Run as `python -P -m trainer.demo.run RUN [--lora PATH]` after the training; it adds to the run's events and samples,
and leaves `log/demo.json`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import torch
from PIL import Image

from advisor.errors import LoraError
from advisor.run_folder.config_file import read_config
from advisor.run_folder.demo_scores import DemoScores
from advisor.run_folder.events import Failed
from advisor.run_folder.keep import write_own
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import training
from advisor.settings.config import TrainingConfig
from trainer.adapters.network import Network
from trainer.data.image_files import upright
from trainer.demo.assets import HELD_OUT_FOLDER
from trainer.demo.score import ScoreData, leak, mean_identity, obedience, read_score_data
from trainer.device.choose import use_threads
from trainer.diffusion.sampling import Request, draw
from trainer.models.families.family import BaseModel
from trainer.models.load import load_base_model
from trainer.runtime.events import Events
from trainer.runtime.failure_codes import failed_event
from trainer.runtime.interrupts import Interrupt, Interrupted
from trainer.runtime.launcher import follow_launcher

FIRST_SEED = 1000
"""The n-th prompt is drawn from seed FIRST_SEED + n, before and after; the training's own seed is 42."""
PER_ROW = 8
"""Images of each kind."""
BASE_PROMPTS = (
    "spiky hair, black hair, light skin, red t-shirt, smile, yellow background",
    "long hair, blonde hair, light skin, green hoodie, laughing, glasses, blue background",
    "curly hair, brown hair, dark skin, yellow striped shirt, surprised, pink background",
    "bob hair, pink hair, light skin, black overalls, wink, purple background",
    "pigtails hair, red hair, light skin, blue overalls, laughing, green background",
    "short hair, white hair, tan skin, blue hoodie, smile, gray background",
    "bun hair, black hair, brown skin, red striped shirt, sad, orange background",
    "long hair, blue hair, brown skin, white t-shirt, smile, red background",
)
"""What the base model knew before; none of it has the trigger."""

Picture = Image.Image


@dataclass(frozen=True)
class Drawn:
    """The same prompts and seeds, with and without the trigger."""

    with_trigger: tuple[Picture, ...]
    without_trigger: tuple[Picture, ...]

    def obedience(self, prompts: Sequence[str], data: ScoreData) -> float:
        """The lower of two shares: backgrounds obeyed with the trigger, and the base's own tags without it."""
        with_trigger = obedience(self.with_trigger, prompts, data, noun="background")
        return min(with_trigger, obedience(self.without_trigger, BASE_PROMPTS, data))


def trigger_prompts() -> tuple[str, ...]:
    """Captions of images that the training never saw."""
    files = sorted(HELD_OUT_FOLDER.glob("*.txt"))[:PER_ROW]
    return tuple(file.read_text("utf-8").strip() for file in files)


def draw_all(
    base: BaseModel, config: TrainingConfig, prompts: Sequence[str], report: Callable[[], None] = lambda: None
) -> Drawn:
    """Each prompt's image, and each of the base model's own, at its seed."""

    def row(texts: Sequence[str]) -> tuple[Picture, ...]:
        pictures = []
        for number, text in enumerate(texts):
            side = config.dataset.resolution_px
            pictures.append(
                draw(base, Request.of(config.sampling, text, seed=FIRST_SEED + number, side_px=side), config)
            )
            report()
        return tuple(pictures)

    return Drawn(row(prompts), row(BASE_PROMPTS))


def scores_of(before: Drawn, after: Drawn, prompts: Sequence[str]) -> DemoScores:
    """What the images say of the LoRA."""
    data = read_score_data()
    real = [upright(path) for path in sorted(HELD_OUT_FOLDER.glob("*.png"))]
    return DemoScores(
        identity_before=mean_identity(before.with_trigger, data),
        identity_after=mean_identity(after.with_trigger, data),
        identity_real=mean_identity(real, data),
        obedience_before=before.obedience(prompts, data),
        obedience_after=after.obedience(prompts, data),
        leak=leak(before.without_trigger, after.without_trigger, data),
    )


def show(run: Path, events: Events, interrupt: Interrupt, lora: Path | None = None) -> DemoScores:
    """Draw before and after, keep the images and the scores in the run folder.

    Args:
        lora: the file to draw with; None: the run's last.

    Raises:
        LoraError: the run has no LoRA, or something cannot be read or written.
        Interrupted: the user ended it; nothing is kept.
    """
    config = read_config(run)
    events.phase("load", 1)
    device = torch.device("cpu")
    base = load_base_model(config.model, dtype=torch.float32, vae_dtype=torch.float32, device=device).whole()
    use_threads(None, device, base.denoiser)
    prompts = trigger_prompts()
    total = 2 * (len(prompts) + len(BASE_PROMPTS))
    events.phase("sample", total)
    done = 0

    def report() -> None:
        nonlocal done
        done += 1
        events.progress("sample", done, total)
        interrupt.check()

    before = draw_all(base, config, prompts, report)
    network = Network.attach(
        base,
        config.network.model_copy(update={"start_from": str(lora or RunFolder(run).lora(config.saving.name))}),
        text_encoder=config.optimizer.trains_text_encoder,
        clip_skip=config.model.clip_skip,
    )
    network.eval()
    after = draw_all(base, config, prompts, report)
    network.detach()
    scores = scores_of(before, after, prompts)
    _keep(run, before, after, scores)
    return scores


def contact_sheet(rows: Sequence[Sequence[Picture]], gap_px: int = 4) -> Picture:
    """Rows of images of one size on white, a wider gap after every second row."""
    width, height = rows[0][0].size
    columns = max(len(row) for row in rows)
    tops = [gap_px + index * (height + gap_px) + index // 2 * 4 * gap_px for index in range(len(rows))]
    sheet = Image.new("RGB", (gap_px + columns * (width + gap_px), tops[-1] + height + gap_px), "white")
    for top, row in zip(tops, rows, strict=True):
        for column, picture in enumerate(row):
            sheet.paste(picture, (gap_px + column * (width + gap_px), top))
    return sheet


def _keep(run: Path, before: Drawn, after: Drawn, scores: DemoScores) -> None:
    folder = RunFolder(run)
    folders = {
        "1_base_model_with_the_trigger": before.with_trigger,
        "2_LoRA_with_the_trigger": after.with_trigger,
        "3_base_model_without_the_trigger": before.without_trigger,
        "4_LoRA_without_the_trigger": after.without_trigger,
    }
    for name, pictures in folders.items():
        for number, picture in enumerate(pictures, start=1):
            _save(picture, folder.samples / name / f"{number:02}.png")
    _save(contact_sheet(list(folders.values())), folder.before_after)
    folder.write_demo_scores(scores)


def _save(picture: Picture, path: Path) -> None:
    drawn = BytesIO()
    picture.save(drawn, format="PNG")
    content = drawn.getvalue()
    write_own(path, content, content.startswith)  # the demo's own picture of before is the same to the byte


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw and score; the exit code is the error's."""
    parser = argparse.ArgumentParser(prog="python -m trainer.demo.run", description="Draw the demo's pictures.")
    parser.add_argument("run", type=Path)
    parser.add_argument("--lora", type=Path, help="the file to draw with, instead of the run's last")
    given, interrupt = parser.parse_args(arguments), Interrupt()
    run = given.run
    is_launched = follow_launcher(interrupt.ask)
    try:
        with (
            training(RunFolder(run), "the demo", lambda _: None, is_launched=is_launched) as check,
            Events(run) as events,
        ):
            events.check_first(check)
            return _show(run, events, interrupt, given.lora)
    except LoraError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code


def _show(run: Path, events: Events, interrupt: Interrupt, lora: Path | None) -> int:
    """Draw and score; failures become events and exit codes."""
    try:
        with interrupt.listening():
            show(run, events, interrupt, lora)
    except LoraError as error:
        events.send(failed_event(error))
        return error.exit_code
    except (Interrupted, KeyboardInterrupt):
        events.send(Failed(code="interrupted", message="The drawing was interrupted; the LoRA is kept"))
        return Interrupted.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
