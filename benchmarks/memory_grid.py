"""Simulated memory of many configurations: what the closed form's coefficients come from, and what it is held to.

    python -m benchmarks.memory_grid            fills benchmarks/results/memory_grid.json; what is there stays
    python -m benchmarks.memory_grid --anew     counts all of it again
    python -m benchmarks.memory_grid --fit      prints the coefficients for advisor/families/NAME.py
    python -m benchmarks.memory_grid --table    prints predicted against counted

It needs no card, and about ten seconds of a processor for each configuration.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advisor.config import TrainingConfig
from advisor.families import family as family_facts
from advisor.families.structure import Structure
from advisor.files import write_atomically

TOKENS = 77
"""Of one chunk."""
RESULTS = Path(__file__).parent / "results" / "memory_grid.json"


@dataclass(frozen=True)
class Entry:
    """One configuration of the grid."""

    family: str
    width: int = 512
    height: int = 512
    batch_size: int = 1
    rank: int = 32
    text: str = "trained"
    """`trained`; `encoded` in each step; `cached`."""
    checkpointing: bool = False
    dtype: str = "bfloat16"
    parts: int = 1
    """Into how many the batch is split."""
    phases: bool = False
    """Caching and sampling are counted too."""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Further ones, by group."""

    @property
    def name(self) -> str:
        """What tells it apart, e.g. `sd1 512x512 batch 4 rank 32 trained bfloat16`."""
        more = [self.dtype] + ["checkpointing"] * self.checkpointing + [f"{self.parts} parts"] * (self.parts > 1)
        more += [f"{group}.{name} {value}" for group, own in self.settings.items() for name, value in own.items()]
        size = f"{self.width}x{self.height}"
        return " ".join([self.family, size, f"batch {self.batch_size} rank {self.rank} {self.text}", *more])

    @property
    def structure(self) -> Structure:
        """The published model's."""
        found = family_facts(self.family).standard
        assert found is not None
        return found

    def config(self) -> TrainingConfig:
        """As a training would be given it."""
        from trainer.measure import measured_config

        return measured_config(
            self.family,
            batch_size=self.batch_size,
            rank=self.rank,
            text=self.text,
            checkpointing=self.checkpointing,
            dtype=self.dtype,
            **self.settings,
        )


def small_unets(family: str, side: int) -> Iterator[Entry]:
    """What SD1 and SD2 are counted with: their own size, everything that a plan changes."""
    s = {"family": family, "width": side, "height": side}
    yield Entry(**s, phases=True)
    yield Entry(**s, batch_size=4)
    yield Entry(**s, batch_size=4, checkpointing=True)
    yield Entry(**s, batch_size=4, text="cached")
    yield Entry(**s, batch_size=4, text="cached", checkpointing=True)
    yield Entry(**s, dtype="float32", phases=True)
    yield Entry(**s, dtype="float32", batch_size=2, checkpointing=True)
    yield Entry(**s, rank=128, checkpointing=True)
    yield Entry(**s, batch_size=2, text="encoded")
    yield Entry(family, 768, 320, batch_size=4)
    yield Entry(**s, batch_size=6, checkpointing=True)
    yield Entry(**s, batch_size=2, rank=16, settings={"network": {"kind": "locon", "conv_rank": 8}})


def more_of_sd1() -> Iterator[Entry]:
    """The family that most beginners train: the tutorial's sizes and ranks."""
    for side in (576, 768):
        yield Entry("sd1", side, side, batch_size=6 if side == 576 else 1)
        yield Entry("sd1", side, side, batch_size=4, checkpointing=True)
    yield Entry("sd1", 448, 576, batch_size=2)
    yield Entry("sd1", 384, 640, batch_size=4, checkpointing=True)
    yield Entry("sd1", rank=8)
    yield Entry("sd1", rank=128)
    yield Entry("sd1", batch_size=4, rank=64)
    yield Entry("sd1", batch_size=4, rank=64, checkpointing=True, text="cached")
    yield Entry("sd1", 320, 320, checkpointing=True)
    yield Entry("sd1", 320, 320)
    yield Entry("sd1", dtype="float32", batch_size=4, text="cached")
    yield Entry("sd1", batch_size=2, settings={"dataset": {"max_tokens": 225}})
    yield Entry("sd1", rank=128, settings={"schedule": {"gradient_accumulation": 2}})
    yield Entry("sd1", batch_size=4, parts=4)
    yield Entry("sd1", batch_size=4, parts=2, rank=64, checkpointing=True)


def sdxl() -> Iterator[Entry]:
    """SDXL, its text encoders rarely trained."""
    s = {"family": "sdxl", "width": 1024, "height": 1024}
    yield Entry(**s, rank=16, text="cached", phases=True)
    yield Entry(**s, rank=16, text="cached", checkpointing=True)
    yield Entry(**s, rank=16, text="cached", checkpointing=True, batch_size=4)
    yield Entry(**s, rank=16, checkpointing=True)
    yield Entry(**s, rank=16)
    yield Entry(**s, rank=16, batch_size=2, text="cached")
    yield Entry(**s, rank=64, text="cached", checkpointing=True)
    yield Entry(**s, rank=16, text="cached", dtype="float32", checkpointing=True)
    yield Entry(**s, rank=16, text="encoded", checkpointing=True, batch_size=2)
    yield Entry("sdxl", 768, 768, rank=16, text="cached", checkpointing=True)
    yield Entry("sdxl", 832, 1216, rank=32, text="cached", checkpointing=True, batch_size=2)
    yield Entry(**s, rank=32, text="cached", batch_size=4)
    yield Entry("sdxl", 512, 512, rank=16, text="cached", dtype="float32")
    yield Entry("sdxl", 640, 640, rank=16, text="cached", batch_size=2)
    yield Entry(**s, rank=32, batch_size=2, checkpointing=True)
    yield Entry("sdxl", 512, 512, rank=16, text="cached", checkpointing=True)
    yield Entry("sdxl", 768, 1344, rank=8, text="cached")
    yield Entry(
        "sdxl", 1024, 1024, rank=16, text="cached", checkpointing=True,
        settings={"network": {"kind": "locon", "conv_rank": 8}},
    )  # fmt: skip
    yield Entry(**s, rank=128, text="cached", checkpointing=True, batch_size=2)


def entries() -> tuple[Entry, ...]:
    """The whole grid."""
    return (*small_unets("sd1", 512), *sdxl(), *small_unets("sd2", 768), *more_of_sd1())


def count(entry: Entry) -> dict[str, Any]:
    """What one configuration takes, in bytes."""
    from trainer.measure import Simulation

    simulation = Simulation(entry.config(), entry.structure, (entry.width, entry.height), parts=entry.parts)
    found: dict[str, Any] = {"step": simulation.step()}
    if entry.phases:
        found |= {"caching": simulation.caching(), "sampling": simulation.sampling()}
        found["operations"] = simulation.operations()
    return found


def results() -> dict[str, Any]:
    """What was counted so far, by the entries' names."""
    if not RESULTS.exists():
        return {}
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))["results"]
    return found


def predicted(entry: Entry) -> dict[str, int]:
    """What the closed form says, in the parts that are counted."""
    from advisor.memory import vram_parts

    parts = vram_parts(entry.config(), entry.structure, size=(entry.width, entry.height), batch_parts=entry.parts)
    base = sum(parts[name] for name in ("denoiser", "text_encoder", "vae"))
    return {"base": base} | {name: parts[name] for name in ("adapter", "gradients", "optimizer", "activations")}


def error(entry: Entry, counted: Mapping[str, Any]) -> float:
    """How far the closed form is from what was counted, as a share of it; above 0: it says more."""
    whole = sum(counted["step"].values())
    return (sum(predicted(entry).values()) - whole) / whole


def footprint(family: str, counted: Mapping[str, Any]) -> str:
    """A family's coefficients as Python, from the entries that differ in one thing only."""
    side, rank, batch = (1024, 16, 1) if family == "sdxl" else (768 if family == "sd2" else 512, 32, 4)
    own = [entry for entry in entries() if entry.family == family and not entry.settings and entry.parts == 1]
    pixels = (side // 8) ** 2

    def kept(text: str, *, checkpointing: bool, batch_size: int) -> float:
        """Activations of one picture."""
        wanted = Entry(family, side, side, batch_size, rank, text, checkpointing)
        found: int = counted[wanted.name]["step"]["activations"]
        return found / batch_size

    plain = kept("cached", checkpointing=False, batch_size=batch)
    plain_text = (kept("trained", checkpointing=False, batch_size=batch) - plain) / TOKENS
    less = kept("cached", checkpointing=True, batch_size=4)
    less_text = (kept("trained", checkpointing=True, batch_size=batch) - less) / TOKENS
    moments = f"Moment(0.0, {less / pixels:_.0f})"
    late = next(entry for entry in own if entry.rank >= 64 and entry.checkpointing and entry.batch_size == 1)
    found = counted[late.name]["step"]
    if found["gradients"] > 0.1 * found["adapter"]:
        moments += f", Moment({found['gradients'] / found['adapter']:.2f}, {found['activations'] / pixels:_.0f})"
    return f"""{family}:
        plain=StepFootprint((Moment(0.0, {plain / pixels:_.0f}),), token_bytes={plain_text:_.0f}),
        checkpointed=StepFootprint(({moments}), token_bytes={less_text:_.0f}),"""


def tables() -> Iterator[str]:
    """Predicted against counted, a line for each entry."""
    for entry in entries():
        if counted := results().get(entry.name):
            whole = sum(counted["step"].values()) / 2**30
            yield f"{error(entry, counted):+7.2%} {whole:7.2f} GiB  {entry.name}"


def main() -> None:
    """Count what is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--anew", action="store_true", help="count all of it again")
    parser.add_argument("--fit", action="store_true", help="print the coefficients")
    parser.add_argument("--table", action="store_true", help="print predicted against counted")
    given = parser.parse_args()
    if given.fit or given.table:
        print("\n".join(tables() if given.table else [footprint(name, results()) for name in ("sd1", "sd2", "sdxl")]))
        return
    done = {} if given.anew else results()
    import torch

    for entry in entries():
        if entry.name not in done:
            done[entry.name] = count(entry)
            print(entry.name, {part: round(n / 2**20) for part, n in done[entry.name]["step"].items()}, flush=True)
        document = {"command": "python -m benchmarks.memory_grid", "torch": torch.__version__, "results": done}
        write_atomically(RESULTS, json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
