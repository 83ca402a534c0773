"""Operations that torch dispatches in a step, counted on the real modules: `python -P -m benchmarks.step_calls`.

The processor starts each of them, so they are the least time of a step however fast the card is. The coefficients in
`advisor.families` (`StepCalls`) are differences of these counts; `--fit` prints them. Without `--anew` what was counted
stays.

What is kept was counted while each layer cast its own adapter, as other trainers' layers do, to whose steps the
constants of time are fitted; ours starts a quarter fewer since (docs/decisions/0049-fewer-operations.md).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from advisor.families import family as family_facts
from advisor.files import write_atomically

RESULTS = Path(__file__).parent / "results" / "step_calls.json"
FAMILIES = ("sd1", "sd2", "sdxl", "anima", "z_image")
KINDS = ("locon", "dora", "loha", "lokr")
SIDE_PX = 256
"""The number of operations does not depend on it."""

Case = dict[str, Any]


def cases() -> Iterator[Case]:
    """What is counted: a LoRA on the U-Net with cached text, and one thing more or other at a time."""
    for family in FAMILIES:
        for checkpointing in (False, True):
            common = {"family": family, "checkpointing": checkpointing}
            for text in (
                ("cached", "encoded", "trained") if not family_facts(family).text_before_denoiser else ("cached",)
            ):
                yield common | {"text": text}
            for base_dtype in ("int8", "nf4"):
                yield common | {"text": "cached", "base_dtype": base_dtype}
    for kind in KINDS:
        yield {"family": "sd1", "checkpointing": False, "text": "cached", "kind": kind}


def counted(case: Case) -> int:
    """Operations of that step."""
    from trainer.simulate.step import Simulation, measured_config

    conv_rank = 8 if case.get("kind") == "locon" else 0
    config = measured_config(
        case["family"], text=case["text"], checkpointing=case["checkpointing"], base_dtype=case.get("base_dtype"),
        network={"kind": case.get("kind", "lora"), "conv_rank": conv_rank},
    )  # fmt: skip
    structure = family_facts(case["family"]).standard
    assert structure is not None
    return Simulation(config, structure, (SIDE_PX, SIDE_PX)).calls()


def results() -> list[Case]:
    """What was counted so far."""
    if not RESULTS.exists():
        return []
    found: list[Case] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


def calls_of(found: Sequence[Case], **case: Any) -> int:
    """The count of that case."""
    return next(int(one["calls"]) for one in found if {key: one[key] for key in one if key != "calls"} == case)


def fitted(found: Sequence[Case], family: str, *, checkpointing: bool) -> dict[str, int]:
    """The coefficients of `StepCalls`: the plain case, and what each change adds to it."""
    common = {"family": family, "checkpointing": checkpointing}
    plain = calls_of(found, **common, text="cached")
    more = {
        "text_forward": {"text": "encoded"}, "text_trained": {"text": "trained"},
        "int8": {"text": "cached", "base_dtype": "int8"}, "nf4": {"text": "cached", "base_dtype": "nf4"},
    }  # fmt: skip
    counted_texts = {case["text"] for case in found if case["family"] == family}
    return {"denoiser": plain} | {
        name: calls_of(found, **common, **change) - plain if change["text"] in counted_texts else 0
        for name, change in more.items()
    }


def kind_shares(found: Sequence[Case]) -> dict[str, float]:
    """How many times the operations of a LoRA's step another kind of adapter has."""
    common = {"family": "sd1", "checkpointing": False, "text": "cached"}
    plain = calls_of(found, **common)
    return {kind: round(calls_of(found, **common, kind=kind) / plain, 2) for kind in KINDS}


def main(arguments: Sequence[str] | None = None) -> int:
    """Count what is missing and keep it; print the coefficients."""
    parser = argparse.ArgumentParser(prog="python -P -m benchmarks.step_calls", description=__doc__)
    parser.add_argument("--anew", action="store_true", help="count all of it again")
    parser.add_argument("--fit", action="store_true", help="only print the coefficients from the results kept")
    given = parser.parse_args(arguments)
    found = [] if given.anew else results()
    known = [{key: one[key] for key in one if key != "calls"} for one in found]
    for case in () if given.fit else cases():
        if case in known:
            continue
        found.append(case | {"calls": counted(case)})
        print(json.dumps(found[-1]), flush=True)
        write_atomically(RESULTS, json.dumps(found, indent=1) + "\n")
    for family in FAMILIES:
        for checkpointing in (False, True):
            print(family, checkpointing, fitted(found, family, checkpointing=checkpointing))
    print(kind_shares(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
