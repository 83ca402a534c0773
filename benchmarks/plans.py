"""What `loracle plan` makes of seven sizes of cards: `python -m benchmarks.plans` writes README.md and docs/plans.md.

Thirty pictures of usual sizes, a card of the RTX 30 series with half a GiB taken by the desktop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from advisor.answers import Answers
from advisor.checkpoints.identity import Identity
from advisor.dataset.report import DatasetReport, Folder, ImageFile
from advisor.facts import Facts
from advisor.families import family as family_of
from advisor.files import write_atomically
from advisor.machine.hardware import Hardware
from advisor.planning.planner import make_plan
from advisor.settings.config import MemoryConfig
from advisor.units import GIB

ROOT = Path(__file__).parents[1]
PAGE, README = ROOT / "docs" / "plans.md", ROOT / "README.md"
CARDS_GB = (4, 6, 8, 10, 12, 16, 24)
FAMILIES = ("sd1", "sdxl", "anima", "z_image")
SIZES = ((768, 1024), (1024, 1024), (1024, 768), (832, 1216))
SPEED: dict[str, Any] = {"cuda_cores": 3584, "max_clock_mhz": 1777, "memory_bytes_per_second": 360e9}
"""An RTX 3060's, by NVIDIA's data sheet."""
START, END = "<!-- plans: begin -->", "<!-- plans: end -->"

TEXT = """# Plans for seven sizes of cards

Thirty pictures, a card with bfloat16 of which half a GiB is taken; the tutorial's advice. Memory is predicted
(docs/decisions/0010-memory.md). Made by `python -m benchmarks.plans`, and checked by a test.

{start}
{table}
{end}
"""


IN_README = """### What fits which card

Thirty pictures, the tutorial's advice, half a GiB taken by the desktop. Memory and time are predicted, the time for
a card as fast as an RTX 3060 (`python -m benchmarks.plans`).

{table}"""
"""What stands in README.md between the marks."""


def facts_for(family: str, card_gb: int) -> Facts:
    """A beginner's usual facts."""
    machine = Hardware("Linux", "x86_64", "a processor", 16, 8, 32 * GIB, 24 * GIB, 500 * GIB)
    pictures = tuple(
        ImageFile(f"{number:02}.png", *SIZES[number % len(SIZES)], folder=0, caption="mira, smile")
        for number in range(30)
    )
    dataset = DatasetReport("/pictures", pictures, (Folder(".", 30),), extensions={".txt": 30})
    known = family_of(family)
    predicted = known.prediction if known.fixed_prediction else "epsilon"
    model = Identity(
        path="/base.safetensors", kind="checkpoint", family=family, prediction=predicted, dtype="float16",
        parts=("denoiser", "vae", "text_encoder"), trainable=True, structure=known.standard,
    )  # fmt: skip
    answers = Answers(name="mira", trigger="mira")
    found = machine.with_gpu(total_bytes=card_gb * GIB)
    gpus = tuple(replace(gpu, **SPEED) for gpu in found.gpus)
    return Facts(replace(found, gpus=gpus), dataset, model, answers)


def table() -> str:
    """The table in Markdown."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    heads = (
        "base", "card", "resolution", "batch", "checkpointing", "base precision", "text encoder", "optimizer",
        "memory", "fits", "time",
    )  # fmt: skip
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for family in FAMILIES:
        for card in CARDS_GB:
            facts = facts_for(family, card)
            plan = make_plan(facts)
            config, gpu = plan.config, facts.gpu
            assert gpu is not None
            batch, parts = config.schedule.batch_size, config.schedule.gradient_accumulation
            cells = (
                family_of(family).title,
                f"{card} GB",
                f"{config.dataset.resolution_px} px",
                f"{batch}" if parts == 1 else f"{batch}, {parts} to a step",
                checkpointing(config.memory, family),
                base(config.memory),
                "trained" if config.optimizer.text_encoder_learning_rate > 0 else "not trained",
                config.optimizer.name,
                f"{plan.estimate.vram_bytes / GIB:.1f} of {gpu.free_bytes / GIB:.1f} GiB",
                "yes" if plan.estimate.peak_bytes <= gpu.free_bytes else "no",
                f"{(plan.estimate.seconds or 0) / 3600:.1f} h",
            )
            yield "| " + " | ".join(cells) + " |"


def checkpointing(memory: MemoryConfig, family: str) -> str:
    """Where activations are computed a second time."""
    structure = family_of(family).standard
    assert structure is not None
    if not memory.gradient_checkpointing:
        return "off"
    blocks = memory.checkpointed_blocks
    return f"{blocks} of {structure.whole_blocks} blocks" if blocks else "on"


def base(memory: MemoryConfig) -> str:
    """What the base model's weights are kept in, and how many of its blocks wait in the machine's memory."""
    return (
        f"{memory.base_dtype}, {memory.swapped_blocks} blocks swapped" if memory.swapped_blocks else memory.base_dtype
    )


def in_readme(readme: str) -> str:
    """README.md with today's table between its marks."""
    before, _, rest = readme.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{IN_README.format(table=table())}\n{END}{after}"


def main() -> None:
    """Write the page, and the table into README.md."""
    write_atomically(PAGE, TEXT.format(start=START, end=END, table=table()))
    write_atomically(README, in_readme(README.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
