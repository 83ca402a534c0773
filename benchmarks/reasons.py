"""Every distinct sentence of plans, to be read in one sitting: `python -m benchmarks.reasons`.

Numbers are left as in the first plan that said it; sentences that differ in numbers alone are printed once.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace

from advisor.planning.planner import make_plan
from advisor.rules.optimizers import OPTIMIZERS
from benchmarks.personas import PERSONAS, Persona


def people() -> Iterator[Persona]:
    """The personas, and variations of them that reach more rules."""
    yield from PERSONAS
    cards = ("", "GTX 1050 Ti", "GTX 1660", "RTX 2060 6GB", "RTX 3070", "RTX 3060 12GB", "RTX 4090")
    for base, card, number in itertools.product(PERSONAS[::4], cards, (1, 9, 300)):
        yield replace(base, card=card, num_images=number)
    for name in OPTIMIZERS:
        yield replace(PERSONAS[0], settings=(("optimizer.name", name),))


def sentences() -> dict[str, tuple[str, str]]:
    """By the sentence without its numbers: the path or warning's code, and the sentence."""
    found: dict[str, tuple[str, str]] = {}
    for person in people():
        plan = make_plan(person.facts)
        told = [
            *((row.path, row.reason) for row in plan.decisions),
            *((one.code, one.message) for one in plan.warnings),
        ]
        for about, sentence in told:
            found.setdefault(f"{about} {re.sub(r'[0-9][0-9.,]*', '#', sentence)}", (about, sentence))
    return found


def main() -> None:
    """Print them, sorted by what they are about."""
    for about, sentence in sorted(sentences().values()):
        print(f"{about}: {sentence}")


if __name__ == "__main__":
    main()
