"""What a sweep tries."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.errors import LoraError
from wizard.interview.sweep_trials import Trial, parse_varied, trials_of

RATES, RANKS = "optimizer.learning_rate=5e-5, 1e-4", "network.rank=16,32,16"


def trials(*vary: str, most: int | None = None) -> tuple[Trial, ...]:
    return trials_of(Path("anna"), parse_varied(vary), most)


def test_all_combinations_are_tried_each_with_a_name_that_tells_its_values() -> None:
    found = trials(RANKS, RATES)

    assert [trial.name for trial in found] == [
        "anna-rank16-learning_rate5e-5", "anna-rank16-learning_rate1e-4",
        "anna-rank32-learning_rate5e-5", "anna-rank32-learning_rate1e-4",
    ]  # fmt: skip
    assert found[1].settings == ("network.rank=16", "optimizer.learning_rate=1e-4")
    assert found[1].values == (("network.rank", 16), ("optimizer.learning_rate", 1e-4))


def test_so_many_of_them_are_the_same_ones_each_time() -> None:
    ranks = "network.rank=" + ",".join(map(str, range(1, 101)))
    found = trials(ranks, most=5)

    assert len({trial.name for trial in found}) == 5
    assert found == trials(ranks, most=5)
    assert trials(RANKS, most=9) == trials(RANKS)


def test_names_that_would_not_be_their_own_or_too_long_are_numbered() -> None:
    same = trials("model.vae_path=a/b,a:b")
    long = trials("run.trigger=" + "x" * 99)

    assert [trial.name for trial in same] == ["anna-1", "anna-2"]
    assert [trial.name for trial in long] == ["anna-1"]


@pytest.mark.parametrize(
    ("vary", "told"),
    [
        (("network.rank=16,0",), "network.rank is '0': give 1 or more"),
        (("network.rnk=16",), "did you mean network.rank"),
        (("network.rank",), "give a setting and its values"),
        (("network.rank=,",), "give a setting and its values"),
        (("network.rank=1", "network.rank=2"), "is there twice"),
        (("saving.name=a,b",), "each trial has a name of its own"),
        (("sampling.prompts=a,b",), "would be one entry of a list"),
        ((), "Nothing is varied"),
        (("network.rank=" + ",".join(map(str, range(1, 14))),), "13 combinations, and 12 can be compared"),
    ],
)
def test_what_cannot_be_is_told(vary: tuple[str, ...], told: str) -> None:
    with pytest.raises(LoraError, match=told):
        trials(*vary)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(LoraError) as refused:
        parse_varied(["network.rank=0", "x", "schedule.epochs=0"])

    assert all(part in str(refused.value) for part in ("network.rank is '0'", "--vary x", "schedule.epochs is '0'"))


def test_no_trials_at_all_are_refused() -> None:
    with pytest.raises(LoraError, match="--trials is 0"):
        trials(RANKS, most=0)
