"""What is told of trials on a cluster, by a child whose place a few lines of Python take."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from advisor.errors import LoraError
from wizard.exit_codes import TrainerBroke
from wizard.processes.cluster_sweep import ClusterSweep, train_on_cluster


def sweep_of(place: Path, **others: object) -> ClusterSweep:
    runs = tuple(place / name for name in ("a", "b", "c"))
    return replace(ClusterSweep("127.0.0.1:6379", place, runs, epochs=8, on_cards=False), **others)  # type: ignore[arg-type]


def told_by(code: str) -> Sequence[str]:
    return [sys.executable, "-c", code]


def lines_of(*events: dict[str, object], code: int = 0) -> str:
    printed = "".join(f"print({json.dumps(event)!r})\n" for event in events)
    return f"print('(raylet) a word of Ray')\n{printed}raise SystemExit({code})"


def test_outcomes_come_in_the_order_of_the_trials(tmp_path: Path) -> None:
    trained = {
        "outcome": "trained",
        "exit_code": 0,
        "message": "",
        "steps": 8,
        "lora": str(tmp_path / "x"),
        "seconds": 2,
    }
    code = lines_of(
        {"event": "trial_began", "run": str(tmp_path / "b")},
        {"event": "trial_lost", "run": str(tmp_path / "b")},
        {"event": "trial_ended", "run": str(tmp_path / "b"), "outcome": trained, "machine": "there"},
        {"event": "trial_ended", "run": str(tmp_path / "a"), "outcome": None, "epochs": 2, "score": 0.1},
        {"event": "finished"},
    )
    told = list[str]()

    outcomes = train_on_cluster(sweep_of(tmp_path), told.append, command=lambda _: told_by(code))

    assert [one.outcome for one in outcomes] == ["stopped_early", "trained", "failed"]
    assert (outcomes[1].steps, outcomes[1].lora) == (8, tmp_path / "x")
    assert "after epoch 2" in outcomes[0].message
    assert "nothing was heard" in outcomes[2].message
    assert any("machine was lost" in line for line in told)
    assert any("on there" in line for line in told)


def test_what_the_child_is_given(tmp_path: Path) -> None:
    code = 'import sys; print(open(sys.argv[1]).read()); print(\'{"event": "finished"}\')'
    seen = list[str]()

    def command(file: Path) -> Sequence[str]:
        seen.append(file.read_text("utf-8"))
        return [*told_by(code), str(file)]

    train_on_cluster(sweep_of(tmp_path, device="cpu", rungs=(2, 4)), seen.append, command=command)
    given = json.loads(seen[0])

    assert given["runs"] == [str(tmp_path / name) for name in "abc"]
    assert given["options"] == {"skip_broken": False, "device": "cpu", "cache_from": str(tmp_path / "a")}
    assert (given["rungs"], given["epochs"], given["on_cards"]) == ([2, 4], 8, False)


def test_what_is_wrong_with_the_cluster_is_told(tmp_path: Path) -> None:
    code = lines_of({"event": "failed", "message": "no machine has a card", "code": 2}, code=2)

    with pytest.raises(LoraError, match="no machine has a card"):
        train_on_cluster(sweep_of(tmp_path), print, command=lambda _: told_by(code))


def test_one_that_breaks_shows_what_it_printed(tmp_path: Path) -> None:
    with pytest.raises(TrainerBroke, match="ZeroDivisionError"):
        train_on_cluster(sweep_of(tmp_path), print, command=lambda _: told_by("1 / 0"))


def test_an_ended_one_is_an_interrupt(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train_on_cluster(sweep_of(tmp_path), print, command=lambda _: told_by("raise SystemExit(130)"))
