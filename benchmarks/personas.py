"""What people are advised: `python -m benchmarks.personas` writes docs/personas.md.

Each row is a plan for a card by name, so that time and numbers' format are its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from advisor.answers import Answers
from advisor.checkpoints.identity import Identity, Lineage
from advisor.dataset.report import DatasetReport, Folder, ImageFile
from advisor.facts import Facts
from advisor.families import family as family_of
from advisor.files import write_atomically
from advisor.machine.cards import card_named
from advisor.machine.hardware import Hardware
from advisor.plan import Plan
from advisor.planning.planner import make_plan
from advisor.settings.config import MemoryConfig
from advisor.settings.parse_value import parse_settings
from advisor.units import GIB, counted, rate

PAGE = Path(__file__).parents[1] / "docs" / "personas.md"
SIZES = ((768, 1024), (1024, 1024), (1024, 768), (832, 1216), (1536, 1024))

TEXT = """# What people are advised

A plan for each of these people; half a GiB of each card is taken by the desktop. Batch: pictures at once times batches
in a step. Time: expected, and its range. Made by `python -m benchmarks.personas`, and checked by a test.

{table}
"""


@dataclass(frozen=True)
class Persona:
    """Somebody with pictures, a base model and a card."""

    num_images: int
    base: str
    """What they call it."""
    family: str
    card: str
    """By name; empty: a processor."""
    lineage: Lineage | None = None
    prediction: Literal["epsilon", "v_prediction"] = "epsilon"
    subject: Literal["character", "style"] = "character"
    goal: Literal["exact", "flexible"] = "exact"
    advice: Literal["tutorial", "current"] = "tutorial"
    has_bitsandbytes: bool = False
    settings: tuple[tuple[str, str], ...] = ()
    """Chosen by hand."""

    @property
    def facts(self) -> Facts:
        """What would be found of them."""
        pictures = tuple(
            ImageFile(f"{number:04}.png", *SIZES[number % len(SIZES)], folder=0, caption="mira, 1girl, smile")
            for number in range(self.num_images)
        )
        ending = {".txt": self.num_images}
        machine = Hardware(
            "Linux",
            "x86_64",
            "a processor",
            16,
            8,
            32 * GIB,
            24 * GIB,
            500 * GIB,
            has_bitsandbytes=self.has_bitsandbytes,
        )
        model = Identity(
            path=f"/{self.base}.safetensors", kind="checkpoint", family=self.family, prediction=self.prediction,
            lineage=self.lineage, dtype="float16", parts=("denoiser", "vae", "text_encoder"), trainable=True,
            structure=family_of(self.family).standard,
        )  # fmt: skip
        answers = Answers(
            name="mira", trigger="mira", subject=self.subject, goal=self.goal, advice=self.advice,
            settings=parse_settings(dict(self.settings)),
        )  # fmt: skip
        return Facts(
            machine.with_only(card_named(self.card).as_gpu()) if self.card else machine,
            DatasetReport("/pictures", pictures, (Folder(".", self.num_images),), extensions=ending), model, answers,
        )  # fmt: skip


NAI = Persona(30, "NAI", "sd1", "RTX 2070", lineage="nai")
ILLUSTRIOUS = Persona(30, "Illustrious", "sdxl", "RTX 3060 12GB", lineage="illustrious")
PRODIGY = (("optimizer.name", "prodigy"),)

PERSONAS = (
    NAI,
    replace(NAI, card="RTX 3060 12GB"),
    replace(NAI, card="GTX 1660 SUPER"),
    replace(NAI, card="GTX 1050 Ti", has_bitsandbytes=True),
    replace(NAI, num_images=12, card="RTX 2060 6GB"),
    replace(NAI, num_images=60, card="RTX 4090"),
    replace(NAI, num_images=120, goal="flexible"),
    replace(NAI, num_images=1000, card="RTX 4090"),
    replace(NAI, advice="current"),
    replace(NAI, card=""),
    replace(NAI, base="AnyLoRA", lineage="anylora"),
    replace(NAI, base="AnyLoRA", lineage="anylora", subject="style", num_images=100),
    replace(NAI, base="AnyLoRA", lineage="anylora", advice="current", card="RTX 3060 12GB"),
    Persona(25, "a realistic SD1.5 mix", "sd1", "RTX 4060 laptop"),
    Persona(25, "a realistic SD1.5 mix", "sd1", "RTX 4060 laptop", advice="current"),
    Persona(40, "SD2.1, 768 px", "sd2", "RTX 3060 12GB", prediction="v_prediction"),
    Persona(30, "SDXL base", "sdxl", "RTX 2060 6GB"),
    Persona(30, "SDXL base", "sdxl", "RTX 4060", has_bitsandbytes=True),
    Persona(200, "SDXL base", "sdxl", "A100 40GB", subject="style"),
    ILLUSTRIOUS,
    replace(ILLUSTRIOUS, card="GTX 1050 Ti", has_bitsandbytes=True),
    replace(ILLUSTRIOUS, card="RTX 4060 Ti 16GB", num_images=50),
    replace(ILLUSTRIOUS, card="RTX 5090", num_images=400),
    replace(ILLUSTRIOUS, settings=PRODIGY, card="RTX 4090"),
    replace(ILLUSTRIOUS, base="Pony", lineage="pony", card="RTX 3080 10GB"),
    replace(ILLUSTRIOUS, base="NoobAI v-pred", lineage="noobai", prediction="v_prediction", card="RTX 4070"),
    replace(ILLUSTRIOUS, base="Animagine", lineage="animagine", subject="style", num_images=150, card="RTX 3090"),
)
"""From 12 to 1,000 pictures, every kind of base, cards from 4 to 40 GB."""


def table() -> str:
    """The table in Markdown."""
    heads = (
        "who", "card", "adapter", "rate, text encoder", "pictures, steps", "batch", "memory is saved by", "loss",
        "memory", "time", "warnings",
    )  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    return "\n".join(lines + [f"| {' | '.join(_cells(one, make_plan(one.facts)))} |" for one in PERSONAS])


def _cells(persona: Persona, plan: Plan) -> Iterator[str]:
    config, outlook, gpu = plan.config, plan.estimate, persona.facts.gpu
    network, schedule, memory, loss = config.network, config.schedule, config.memory, config.loss
    chosen = "".join(f"; {path.partition('.')[2]} {value}" for path, value in persona.settings)
    flexible = "flexible " if persona.goal == "flexible" else ""
    yield f"{flexible}{persona.subject} from {persona.num_images:,} on {persona.base}, {persona.advice}{chosen}"
    yield card_named(persona.card).short_name if persona.card else "processor"
    convolutions = f", convolutions {network.conv_rank}" if network.conv_rank else ""
    yield f"{network.kind} {network.rank}, alpha {network.alpha:g}{convolutions}"
    text = config.optimizer.text_encoder_learning_rate
    yield f"{rate(config.optimizer.unet_learning_rate)}, {rate(text) if text else 'off'}; {schedule.name}"
    shown = f"{config.dataset.resolution_px} px x {config.dataset.repeats}, {schedule.epochs} epochs"
    yield f"{shown}: {outlook.steps:,} steps"
    yield f"{schedule.batch_size} x {schedule.gradient_accumulation}"
    yield _saved_by(memory, config.optimizer.name)
    snr = ", zero SNR" if loss.zero_terminal_snr else ""
    yield f"min-SNR {loss.min_snr_gamma:g}, offset {loss.noise_offset:g}{snr}, clip skip {config.model.clip_skip}"
    free = gpu.free_bytes if gpu else persona.facts.hardware.ram_free_bytes
    yield f"{outlook.peak_bytes / GIB:.1f} of {free / GIB:.1f} GiB"
    hours = [(seconds or 0) / 3600 for seconds in (outlook.seconds, outlook.seconds_low, outlook.seconds_high)]
    yield "{:.1f} h ({:.1f} to {:.1f})".format(*hours)
    yield ", ".join(warning.code for warning in plan.warnings) or "none"


def _saved_by(memory: MemoryConfig, optimizer: str) -> str:
    blocks = f" of {counted(memory.checkpointed_blocks, 'block')}" if memory.checkpointed_blocks else ""
    saved = [
        *([f"checkpointing{blocks}"] if memory.gradient_checkpointing else []),
        *([f"{memory.base_dtype} base"] if memory.base_dtype != memory.compute_dtype else []),
        *([optimizer] if optimizer == "adamw8bit" else []),
    ]
    return f"{memory.compute_dtype}: {', '.join(saved) or 'nothing needed'}"


def main() -> None:
    """Write the page."""
    write_atomically(PAGE, TEXT.format(table=table()))


if __name__ == "__main__":
    main()
