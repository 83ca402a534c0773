"""What a process takes from torchrun's environment, and what is told where processes of machines differ."""

from __future__ import annotations

import pytest

from advisor.errors import ConfigErrors
from trainer.ranks.acquaintance import differences
from trainer.ranks.machines import interface_of
from trainer.ranks.rendezvous import Rendezvous

BY_HAND = {"RANK": "1", "WORLD_SIZE": "4", "MASTER_ADDR": "node-a", "MASTER_PORT": "29500"}
FIRST = {
    "machine": "a", "address": "10.0.0.1", "loracle": "1.0", "torch": "2.13.0", "python": "3.12.1", "folder": "",
    "settings": "s", "base model files": "m",
}  # fmt: skip


def test_torchruns_variables_are_read_and_taken_out() -> None:
    environment = {
        **BY_HAND, "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": "2", "PATH": "/bin",
    }  # fmt: skip

    found = Rendezvous.taken_from(environment)

    assert found == Rendezvous(1, 4, 1, "node-a", 29500, is_served=True, restarts=2)
    assert not found.is_first
    assert not set(environment) & {"RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
    assert environment["PATH"] == "/bin"


def test_a_batch_systems_are_enough() -> None:
    assert Rendezvous.taken_from(dict(BY_HAND)) == Rendezvous(1, 4, 0, "node-a", 29500, is_served=False)


@pytest.mark.parametrize("address", ["node-a", "10.0.0.7", "fe80::1", "::1"])
def test_the_trainer_gets_the_same_by_its_command_line(address: str) -> None:
    given = Rendezvous(3, 4, 1, address, 29500, is_served=True, restarts=7)

    assert Rendezvous.of_argument(given.as_argument) == given


@pytest.mark.parametrize(
    ("name", "value"), [("RANK", None), ("RANK", "4"), ("WORLD_SIZE", "0"), ("MASTER_PORT", "x"), ("MASTER_ADDR", "")]
)
def test_what_torchrun_did_not_set_is_named_and_nothing_is_taken_out(name: str, value: str | None) -> None:
    environment = {**BY_HAND, name: value} if value is not None else {**BY_HAND}
    if value is None:
        del environment[name]
    before = dict(environment)

    with pytest.raises(ConfigErrors, match=name):
        Rendezvous.taken_from(environment)

    assert environment == before


def test_processes_that_have_the_same_may_train_together() -> None:
    assert differences(FIRST, {**FIRST, "machine": "b", "address": "10.0.0.2", "python": "3.12.9"}, 1) == []


def test_a_second_process_of_a_machine_says_nothing_of_the_base_model() -> None:
    assert differences(FIRST, {name: value for name, value in FIRST.items() if name != "base model files"}, 1) == []


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"loracle": "1.1"}, "has loracle 1.1, the first one, on a, 1.0: install the same"),
        ({"torch": "2.12.0"}, "has torch 2.12.0, the first one, on a, 2.13.0: install the same"),
        ({"python": "3.11.9"}, "runs Python 3.11.9, the first one 3.12.1: take the same"),
        ({"address": "127.0.1.1"}, "cannot be reached from a: MASTER_ADDR leads one of them to itself"),
        ({"folder": "no such folder"}, "does not see the first one's run folder (no such folder): keep the run on"),
        ({"settings": "t"}, "has other settings than the first one, on a: give all of them the same loracle.toml"),
        (
            {"base model files": "n"},
            "has other base model files than the first one, on a: copy the first",
        ),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else None,
)
def test_each_difference_is_told_with_its_machine_and_its_mend(other: dict[str, str], told: str) -> None:
    (sentence,) = differences(FIRST, {**FIRST, "machine": "b", "address": "10.0.0.2", **other}, 3)

    assert sentence.startswith("Process 3 on b ")
    assert told in sentence


def test_all_differences_are_told_at_once() -> None:
    assert len(differences(FIRST, {**FIRST, "loracle": "2", "torch": "2", "base model files": "n"}, 1)) == 3


def test_loopback_has_an_interface() -> None:
    assert interface_of("127.0.1.1") is not None
    assert interface_of("192.0.2.1") is None
