"""Which trainings the choice is judged by."""

from collections import Counter

from benchmarks.choice.design import BAD, DEVELOPMENT, FINAL, FIRST, SECOND, SETS
from benchmarks.choice.prompts import prompts_of


def test_24_runs_are_judged_by_their_truth_and_two_of_each_bad_kind_by_their_name() -> None:
    kinds = Counter(spec.kind for spec in FINAL)

    assert sum(number for kind, number in kinds.items() if kind not in BAD) == 24
    assert {kind: kinds[kind] for kind in BAD} == {"burnt": 2, "underfit": 2, "no_trigger": 2}


def test_nobody_in_the_final_runs_was_trained_in_another_set() -> None:
    seen = {spec.character for spec in (*DEVELOPMENT, *FIRST, *SECOND)}

    assert {spec.character for spec in FINAL} == {"rilo", "naqe"}
    assert seen.isdisjoint({"rilo", "naqe"})


def test_every_run_has_a_name_of_its_own() -> None:
    for specs in SETS.values():
        assert len({spec.name for spec in specs}) == len(specs)


def test_prompts_with_the_trigger_stand_beside_the_same_without_it() -> None:
    prompts = prompts_of("zuvi")

    assert "zuvi, smile, green background" in prompts
    assert "smile, green background" in prompts
