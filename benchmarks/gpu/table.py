"""The figures as a table, with what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from advisor.units import GIB

HEAD = """# Steps on a card

Made by `{command}` on {machine}. Random weights, random pictures. Seconds are of one optimizer step; memory at
the peak: what torch allocated, what its allocator held, and by how much the driver's figure grew. In brackets what
Loracle predicts. *recipe* is the step of diffusers' example scripts with peft's adapters, run in turns with ours.

| step | seconds | of the recipe's | first step | allocated | reserved | the card's |
|---|---|---|---|---|---|---|
"""


def table(document: Mapping[str, Any]) -> str:
    """Markdown of a document as `benchmarks.gpu` writes it."""
    results: Sequence[Mapping[str, Any]] = document["results"]
    recipes: dict[str, float] = {}
    for found in results:
        if found["way"] == "recipe" and "measured" in found:
            name = _without_way(found["name"])
            recipes[name] = min(found["measured"]["seconds"], recipes.get(name, float("inf")))
    rows = [_row(found, recipes.get(_without_way(found["name"]))) for found in results]
    ends = [f"\nLeft out, since the {document['budget_seconds']:g} s were over:\n"] if document["left_out"] else []
    ends += [f"- {name}" for name in document["left_out"]]
    return HEAD.format(**document) + "\n".join([*rows, *ends]) + "\n"


def _row(found: Mapping[str, Any], recipe: float | None) -> str:
    if "failed" in found:
        return f"| {found['name']} | {found['failed'].replace('|', '/')} | | | | | |"
    took, told = found["measured"], found["predicted"]
    ratio = "" if recipe is None or found["way"] == "recipe" else f"{took['seconds'] / recipe:.2f}"
    seconds = f"{took['seconds']:.3f}" + (f" ({told['seconds']:.3f})" if told.get("seconds") else "")
    sizes = [_gib(took[name], told.get(name)) for name in ("allocated_bytes", "reserved_bytes", "card_bytes")]
    return f"| {found['name']} | {seconds} | {ratio} | {took['first_seconds']:.1f} s | " + " | ".join(sizes) + " |"


def _gib(size: int | None, told: int | None) -> str:
    if not size:
        return ""
    return f"{size / GIB:.2f}" + (f" ({told / GIB:.2f})" if told else "") + " GiB"


def _without_way(name: str) -> str:
    return name.rpartition(" ")[0]
