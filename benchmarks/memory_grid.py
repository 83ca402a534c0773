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

from advisor.estimate.disk import BYTES_OF, adapter_parameters
from advisor.estimate.quantised_base import unpacking_bytes
from advisor.estimate.vram import vram_parts
from advisor.families import family as family_facts
from advisor.families.coefficients import Moment
from advisor.files import write_atomically
from benchmarks.memory_entries import Entry, entries, first_blocks
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

    def moment(checkpointing: bool, base_dtype: str | None = None) -> str:
        """The first one."""
        found = kept(
            "cached", checkpointing=checkpointing, batch_size=4 if checkpointing else batch, base_dtype=base_dtype
        )
        by_rank = ranks[checkpointing]
        return f"Moment(0.0, {found / pixels - rank * by_rank:_.0f}, {by_rank:.1f})"

    ranks = {
        checkpointing: _pixel_rank(family, counted, checkpointing=checkpointing) for checkpointing in (False, True)
    }
    plain = kept("cached", checkpointing=False, batch_size=batch)
    less = kept("cached", checkpointing=True, batch_size=4)
    tokens = (kept("trained", checkpointing=False, batch_size=batch) - plain) / TOKENS
    tokens_less = (kept("trained", checkpointing=True, batch_size=batch) - less) / TOKENS
    middle, late = _code(_middle(family, counted)), _code(_late(family))
    by_first = "" if family == "sd2" else f"\n        saved_by_first={_saved_by_first(family, counted)},"
    return f"""{family}:
        plain=StepMemory(({moment(False)},), token_bytes={tokens:_.0f}),
        checkpointed=StepMemory(({moment(True)}, {late}), token_bytes={tokens_less:_.0f}),
        plain_quantised=StepMemory(({moment(False, "int8")},), token_bytes={tokens:_.0f}),
        checkpointed_quantised=StepMemory(
            ({moment(True, "int8")}, {middle}, {late}),
            token_bytes={tokens_less:_.0f},
        ),{by_first}"""


def transformer_footprint(family: str, counted: Mapping[str, Any]) -> str:
    """The same of a family whose steps keep something of the text for each picture: from two sizes each."""

    def line(one: Entry, other: Entry) -> tuple[float, float]:
        """(bytes per latent pixel, bytes per picture) from two entries of different sizes."""
        found = [counted[entry.name]["step"]["activations"] / entry.batch_size for entry in (one, other)]
        pixel = (found[1] - found[0]) / (_pixels(other) - _pixels(one))
        return pixel, found[0] - _pixels(one) * pixel

    def moment(*, checkpointing: bool, batch_size: int = 1) -> str:
        """The first one."""
        sides: dict[str, Any] = {"batch_size": batch_size, "checkpointing": checkpointing, "text": "cached"}
        pixel, image = line(*(Entry(family, side, side, **sides) for side in (512, 1024)))
        by_rank = _pixel_rank(family, counted, checkpointing=checkpointing)
        pixel -= Entry(family).rank * by_rank
        return f"Moment(0.0, {pixel:_.0f}, {by_rank:.1f}, unpacked=1.0, image_bytes={image:_.0f})"

    return f"""{family}:
        plain: {moment(checkpointing=False)}
        checkpointed: {moment(checkpointing=True, batch_size=4)},
                      {_code(_late(family))}"""


def _pixel_rank(family: str, counted: Mapping[str, Any], *, checkpointing: bool) -> float:
    """Bytes that adapters keep per latent pixel and rank; SD2's are SD1's, whose U-Net is the same.

    SDXL's checkpointed is from float32, which takes twice, and transformers' from small ranks: in half precision large
    ones peak while gradients are gathered.
    """
    low = Entry("sd1", batch_size=4, text="cached", checkpointing=checkpointing)
    high = replace(low, rank=64)
    if family_facts(family).text_before_denoiser:
        low = Entry(family, text="cached")
        high = replace(low, rank=128)
        if checkpointing:
            high = Entry(family, 1024, 1024, text="cached", checkpointing=True, base_dtype="int8")
            low = replace(high, rank=8)
    if family == "sdxl":
        low = Entry("sdxl", 1024, 1024, 4 if checkpointing else 2, 16, "cached", checkpointing)
        high = replace(low, batch_size=4, rank=32)
        high = replace(low, batch_size=1, rank=64, dtype="float32") if checkpointing else high
    few, many = (_halved(one, counted) / one.batch_size / _pixels(one) for one in (low, high))
    return (many - few) / (high.rank - low.rank)


def _halved(entry: Entry, counted: Mapping[str, Any]) -> float:
    """Its activations in half precision."""
    found: int = counted[entry.name]["step"]["activations"]
    return found / BYTES_OF[entry.dtype] * BYTES_OF["bfloat16"]


def _saved_by_first(family: str, counted: Mapping[str, Any]) -> tuple[float, ...]:
    """Shares of what checkpointing all blocks saves; SD2's are SD1's."""
    whole = Entry("sd1", batch_size=4, text="cached", checkpointing=True)
    if family == "sdxl":
        whole = Entry("sdxl", 1024, 1024, 1, 16, "cached", checkpointing=True)
    some = [replace(whole, settings=first_blocks(blocks)) for blocks in range(1, whole.structure.whole_blocks)]
    plain = replace(whole, checkpointing=False)
    none, *kept, least = (counted[one.name]["step"]["activations"] for one in (plain, *some, whole))
    return (*(round((none - one) / (none - least), 3) for one in kept), 1.0)


def _late(family: str) -> Moment:
    """The moment near the end at which large ranks had their peak before gradients were gathered after the pass.

    It is counted no more: nothing peaks at it now in half precision, and it bounds what float32 takes.
    """
    known = family_facts(family).memory_coefficients
    assert known is not None
    return known.checkpointed.moments[-1]


def _middle(family: str, counted: Mapping[str, Any]) -> Moment:
    """The moment in which small pictures have their peak, as the largest layer is unpacked; SD2's is SD1's."""
    entry = Entry("sd1", 320, 320, rank=8, text="cached", base_dtype="nf4", checkpointing=True)
    if family == "sdxl":
        entry = Entry("sdxl", 512, 512, rank=8, text="cached", base_dtype="nf4", checkpointing=True)
    found = counted[entry.name]["step"]
    rest = found["activations"] - unpacking_bytes(entry.config().memory, entry.family, entry.structure)
    return Moment(round(found["gradients"] / _gradients(entry), 2), round(rest / _pixels(entry)), unpacked=1.0)


def _code(moment: Moment) -> str:
    unpacked = f", unpacked={moment.unpacked}" if moment.unpacked else ""
    image = f", image_bytes={moment.image_bytes:_.0f}" if moment.image_bytes else ""
    return f"Moment({moment.gradients}, {moment.pixel_bytes:_.0f}{unpacked}{image})"


def _gradients(entry: Entry) -> int:
    """All of the denoiser's."""
    return 4 * adapter_parameters(replace(entry, text="cached").config(), entry.structure)


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
        for name in ("anima", "z_image"):
            print(transformer_footprint(name, results()))
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
