from __future__ import annotations

from typing import Any

import pytest

from advisor.run_folder.plan_record import chosen_paths


def chosen(path: str, recorded: Any, now: Any, **more: Any) -> bool:
    document = {"decisions": [{"path": path, "value": recorded, "origin": "rule", **more}]}
    return path in chosen_paths(document, {path: now})


@pytest.mark.parametrize(
    ("path", "planned", "now"),
    [
        ("network.rank", 32, 16),
        ("memory.base_dtype", "int8", "bfloat16"),
        ("sampling.prompts", ["a tok"], ("a tok", "two of tok")),
        ("optimizer.arguments", [], ("eps=1e-7",)),
    ],
)
def test_what_was_changed_by_hand_is_chosen(path: str, planned: Any, now: Any) -> None:
    assert chosen(path, planned, now)
    assert not chosen(path, planned, tuple(planned) if isinstance(planned, list) else planned)


def test_what_the_ladder_or_a_run_folder_writes_is_nobodys_choice() -> None:
    assert not chosen("memory.base_dtype", "int8", "bfloat16", planned="bfloat16", planned_origin="rule")
    assert not chosen("dataset.images", "pictures", "/home/me/pictures")
