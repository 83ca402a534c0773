"""Simulated memory of many configurations: what the closed form's coefficients come from, and what it is held to.

    python -m benchmarks.memory_grid            fills benchmarks/results/memory_grid.json; what is there stays
    python -m benchmarks.memory_grid --anew     counts all of it again
    python -m benchmarks.memory_grid --fit      prints the coefficients for advisor/families/NAME.py
    python -m benchmarks.memory_grid --page     writes docs/memory.md: predicted against counted

It needs no card, and three to ten seconds of a processor for each configuration.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.estimate.quantised_base import unpacking_bytes
from advisor.estimate.vram import vram_parts
from advisor.families import family as family_facts
from advisor.families.coefficients import Moment
from advisor.files import write_atomically
from benchmarks.memory_entries import Entry, entries
from benchmarks.memory_page import PAGE, Row, page

if TYPE_CHECKING:
    from trainer.simulate.step import Simulation

TOKENS = 77
"""Of one chunk."""
RESULTS = Path(__file__).parent / "results" / "memory_grid.json"


def simulation(entry: Entry) -> Simulation:
    """Its training on tensors without data."""
    from trainer.simulate.step import Simulation

    return Simulation(entry.config(), entry.structure, (entry.width, entry.height), parts=entry.parts)


def count(entry: Entry) -> dict[str, Any]:
    """What one configuration takes, in bytes."""
    simulated = simulation(entry)
    found: dict[str, Any] = {"step": simulated.step()}
    if entry.phases:
        found |= {"caching": simulated.caching(), "sampling": simulated.sampling()}
        if family_facts(entry.family).text_before_denoiser:
            found["reading"] = simulated.reading()
        found["operations"] = simulated.operations()
    return found


def results() -> dict[str, Any]:
    """What was counted so far, by the entries' names."""
    if not RESULTS.exists():
        return {}
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))["results"]
    return found


def predicted(entry: Entry) -> dict[str, int]:
    """What the closed form says, in the parts that are counted."""
    parts = vram_parts(entry.config(), entry.structure, size=(entry.width, entry.height), batch_parts=entry.parts)
    base = sum(parts[name] for name in ("denoiser", "text_encoder", "vae"))
    return {"base": base} | {name: parts[name] for name in ("adapter", "gradients", "optimizer", "activations")}


def error(entry: Entry, counted: Mapping[str, Any]) -> float:
    """How far the closed form is from what was counted, as a share of it; above 0: it says more."""
    whole: int = sum(counted["step"].values())
    return (sum(predicted(entry).values()) - whole) / whole


def footprint(family: str, counted: Mapping[str, Any]) -> str:
    """A family's coefficients as Python, from the entries that differ in one thing only."""
    side, rank, batch = (1024, 16, 1) if family == "sdxl" else (768 if family == "sd2" else 512, 32, 4)
    pixels = (side // 8) ** 2

    def kept(text: str, *, checkpointing: bool, batch_size: int, base_dtype: str | None = None) -> float:
        """Activations of one picture."""
        wanted = Entry(family, side, side, batch_size, rank, text, checkpointing, base_dtype=base_dtype)
        found: int = counted[wanted.name]["step"]["activations"]
        return found / batch_size

    plain = kept("cached", checkpointing=False, batch_size=batch)
    less = kept("cached", checkpointing=True, batch_size=4)
    packed = kept("cached", checkpointing=False, batch_size=batch, base_dtype="int8")
    packed_less = kept("cached", checkpointing=True, batch_size=4, base_dtype="int8")
    tokens = (kept("trained", checkpointing=False, batch_size=batch) - plain) / TOKENS
    tokens_less = (kept("trained", checkpointing=True, batch_size=batch) - less) / TOKENS
    middle, late = _code(_middle(family, counted)), _code(_late(family, counted))
    return f"""{family}:
        plain=StepMemory((Moment(0.0, {plain / pixels:_.0f}),), token_bytes={tokens:_.0f}),
        checkpointed=StepMemory((Moment(0.0, {less / pixels:_.0f}), {late}), token_bytes={tokens_less:_.0f}),
        plain_quantised=StepMemory((Moment(0.0, {packed / pixels:_.0f}),), token_bytes={tokens:_.0f}),
        checkpointed_quantised=StepMemory(
            (Moment(0.0, {packed_less / pixels:_.0f}), {middle}, {late}),
            token_bytes={tokens_less:_.0f},
        ),"""


def transformer_footprint(family: str, counted: Mapping[str, Any]) -> str:
    """The same of a family whose steps keep something of the text for each picture: from two sizes each."""

    def line(one: Entry, other: Entry) -> tuple[float, float]:
        """(bytes per latent pixel, bytes per picture) from two entries of different sizes."""
        found = [counted[entry.name]["step"]["activations"] / entry.batch_size for entry in (one, other)]
        pixel = (found[1] - found[0]) / (_pixels(other) - _pixels(one))
        return pixel, found[0] - _pixels(one) * pixel

    def moment(share: float, **settings: Any) -> str:
        sides = settings.pop("sides")
        pixel, image = line(*(Entry(family, side, side, text="cached", **settings) for side in sides))
        return f"Moment({share:g}, {pixel:_.0f}, unpacked=1.0, image_bytes={image:_.0f})"

    late = Entry(family, rank=128, text="cached", checkpointing=True)
    share = round(counted[late.name]["step"]["gradients"] / _gradients(late), 3)
    return f"""{family}:
        plain: {moment(0.0, sides=(512, 1024))}
        checkpointed: {moment(0.0, sides=(512, 1024), batch_size=4, checkpointing=True)},
                      {moment(share, sides=(512, 768), rank=128, checkpointing=True)}"""


def _late(family: str, counted: Mapping[str, Any]) -> Moment:
    """The moment near the end that large ranks have their peak at; SD2's is SD1's, whose U-Net is the same."""
    entry = Entry("sd1", rank=128, checkpointing=True)
    if family == "sdxl":
        entry = Entry("sdxl", 1024, 1024, rank=64, text="cached", checkpointing=True)
    found = counted[entry.name]["step"]
    return Moment(round(found["gradients"] / _gradients(entry), 2), round(found["activations"] / _pixels(entry)))


def _middle(family: str, counted: Mapping[str, Any]) -> Moment:
    """The moment in which small pictures have their peak, as the largest layer is unpacked; SD2's is SD1's."""
    entry = Entry("sd1", 320, 320, rank=8, text="cached", base_dtype="nf4", checkpointing=True)
    if family == "sdxl":
        entry = Entry("sdxl", 512, 512, rank=8, text="cached", base_dtype="nf4", checkpointing=True)
    found = counted[entry.name]["step"]
    rest = found["activations"] - unpacking_bytes(entry.config().memory, entry.family, entry.structure)
    return Moment(round(found["gradients"] / _gradients(entry), 2), round(rest / _pixels(entry)), 1.0)


def _code(moment: Moment) -> str:
    unpacked = f", unpacked={moment.unpacked}" if moment.unpacked else ""
    return f"Moment({moment.gradients}, {moment.pixel_bytes:_.0f}{unpacked})"


def _gradients(entry: Entry) -> int:
    """All of the denoiser's."""
    return vram_parts(replace(entry, text="cached").config(), entry.structure)["adapter"]


def _pixels(entry: Entry) -> int:
    return entry.width * entry.height // 64


def rows() -> list[Row]:
    """What was counted and predicted, for each entry that has been counted."""
    found = results()
    own = [entry for entry in entries() if entry.name in found]
    return [Row(one, sum(found[one.name]["step"].values()), error(one, found[one.name])) for one in own]


def write_page() -> None:
    """Write docs/memory.md."""
    write_atomically(PAGE, page(rows()))


def main() -> None:
    """Count what is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--anew", action="store_true", help="count all of it again")
    parser.add_argument("--fit", action="store_true", help="print the coefficients")
    parser.add_argument("--page", action="store_true", help="write docs/memory.md")
    given = parser.parse_args()
    if given.page:
        write_page()
    if given.fit:
        print("\n".join(footprint(name, results()) for name in ("sd1", "sd2", "sdxl")))
        print(transformer_footprint("anima", results()))
    if given.fit or given.page:
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
