"""Which trainings the choice is judged by."""

from collections import Counter

import pytest

from benchmarks.choice.design import BAD, SETS, Spec
from benchmarks.choice.prompts import prompts_of


@pytest.mark.parametrize("specs", [SETS["final"], SETS["fourth"], SETS["fifth"]])
def test_24_runs_are_judged_by_their_truth_and_two_of_each_bad_kind_by_their_name(specs: tuple[Spec, ...]) -> None:
    kinds = Counter(spec.kind for spec in specs)

    assert sum(number for kind, number in kinds.items() if kind not in BAD) == 24
    assert {kind: kinds[kind] for kind in BAD} == {"burnt": 2, "underfit": 2, "no_trigger": 2}


def test_nobody_was_trained_in_two_sets() -> None:
    casts = [{spec.character for spec in specs} for specs in SETS.values()]

    assert SETS["final"][0].character == "rilo"
    assert sum(map(len, casts)) == len(set[str]().union(*casts))


def test_every_run_has_a_name_of_its_own() -> None:
    for specs in SETS.values():
        assert len({spec.name for spec in specs}) == len(specs)


def test_prompts_with_the_trigger_stand_beside_the_same_without_it() -> None:
    prompts = prompts_of("zuvi")

    assert "zuvi, smile, green background" in prompts
    assert "smile, green background" in prompts
