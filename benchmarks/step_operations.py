"""Operations of a step, counted on the real modules: `python -P -m benchmarks.step_operations [--family sd1]`.

The coefficients in `advisor.families` (`StepFlops`) follow from these counts; `--fit` prints them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from advisor.families import family as family_facts
from trainer.models.families import TRAINER_FAMILIES
from trainer.simulate.step import Simulation, measured_config

RESULTS = Path(__file__).parent / "results" / "step_operations.json"

Case = dict[str, Any]


def cases(family: str) -> Iterator[Case]:
    """What is counted of a family: one thing changes at a time, and a few mixtures to check with."""
    for checkpointing in (False, True):
        common = {"family": family, "checkpointing": checkpointing}
        for side in (512, 768, 1024):
            yield common | {"size": (side, side), "rank": 32, "text": "cached", "batch": 1}
        yield common | {"size": (512, 512), "rank": 128, "text": "cached", "batch": 1}
        if not TRAINER_FAMILIES[family].trains_text_encoders:
            yield common | {"size": (448, 640), "rank": 64, "text": "cached", "batch": 3}
            continue
        yield common | {"size": (512, 512), "rank": 32, "text": "trained", "batch": 1}
        yield common | {"size": (512, 512), "rank": 128, "text": "trained", "batch": 1}
        yield common | {"size": (448, 640), "rank": 64, "text": "trained", "batch": 3}
    if not TRAINER_FAMILIES[family].trains_text_encoders:
        return
    yield {"family": family, "checkpointing": False, "size": (512, 512), "rank": 32, "text": "encoded", "batch": 1}
    yield {"family": family, "checkpointing": True, "size": (896, 576), "rank": 16, "text": "encoded", "batch": 2}


def counted(case: Case) -> int:
    """Operations of that step."""
    config = measured_config(
        case["family"], batch_size=case["batch"], rank=case["rank"], text=case["text"],
        checkpointing=case["checkpointing"],
    )  # fmt: skip
    structure = family_facts(case["family"]).standard
    assert structure is not None
    return Simulation(config, structure, tuple(case["size"])).operations()


def fitted(found: Sequence[Case], *, checkpointing: bool) -> dict[str, float]:
    """The coefficients of `StepFlops` from these counts of one family: as many equations as unknowns."""
    side = {512: 4096.0, 768: 9216.0, 1024: 16384.0}  # latent pixels

    def of(side_px: int, rank: int, text: str) -> float:
        """The count of that single picture."""
        for case in found:
            named = (case["size"][0], case["size"][1], case["rank"], case["text"], case["batch"])
            if named == (side_px, side_px, rank, text, 1) and case["checkpointing"] == checkpointing:
                return float(case["operations"])
        raise LookupError(f"no count of {side_px} px, rank {rank}, text {text}")

    small, middle, large = (of(px, 32, "cached") for px in side)
    first, second = (middle - small) / (side[768] - side[512]), (large - middle) / (side[1024] - side[768])
    pair = (second - first) / (side[1024] - side[512])
    pixel_rank = (of(512, 128, "cached") - small) / (96 * side[512])
    pixel = first - pair * (side[768] + side[512])
    denoiser = {
        "image": small - side[512] * (pixel + side[512] * pair),
        "pixel": pixel - 32 * pixel_rank,
        "pixel_pair": pair,
        "pixel_rank": pixel_rank,
    }
    if all(case["text"] == "cached" for case in found):
        return denoiser | {"text": 0.0, "text_rank": 0.0}
    text, text_high = (of(512, rank, "trained") - of(512, rank, "cached") for rank in (32, 128))
    text_rank = (text_high - text) / 96
    return denoiser | {"text": text - 32 * text_rank, "text_rank": text_rank}


def text_forward(found: Sequence[Case]) -> float:
    """Operations of text encoders that are only asked."""
    plain = [case for case in found if not case["checkpointing"] and (case["rank"], case["batch"]) == (32, 1)]
    plain = [case for case in plain if tuple(case["size"]) == (512, 512)]
    by_text = {case["text"]: float(case["operations"]) for case in plain}
    return by_text["encoded"] - by_text["cached"] if "encoded" in by_text else 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Count everything and keep it."""
    parser = argparse.ArgumentParser(prog="python -P -m benchmarks.step_operations", description=__doc__)
    parser.add_argument("--family", choices=sorted(TRAINER_FAMILIES), action="append")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--fit", action="store_true", help="only print the coefficients from the results kept")
    given = parser.parse_args(arguments)
    if given.fit:
        _print_fit(json.loads(given.out.read_text(encoding="utf-8")))
        return 0
    found = []
    for family in given.family or sorted(TRAINER_FAMILIES):
        for case in cases(family):
            found.append(case | {"operations": counted(case)})
            print(json.dumps(found[-1]), flush=True)
    given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


def _print_fit(found: Sequence[Case]) -> None:
    for family in dict.fromkeys(case["family"] for case in found):
        own = [case for case in found if case["family"] == family]
        told: dict[str, object] = {"family": family, "text_forward": text_forward(own)}
        for checkpointing in (False, True):
            coefficients = fitted(own, checkpointing=checkpointing)
            told["checkpointed" if checkpointing else "plain"] = {
                key: f"{one:.5g}" for key, one in coefficients.items()
            }
        print(json.dumps(told, indent=1))


if __name__ == "__main__":
    sys.exit(main())
