"""`loracle train A B C --gpus all` and `--processes N`: as many at the same time as there are cards or processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from advisor.run_folder.layout import RunFolder
from tests.support import miniature_trainer
from tests.support.killed import has_begun, wait_for
from tests.support.made_up_nvml import GTX_1660, RTX_3070, RTX_3090, build_library, with_cards
from tests.support.miniature_trainer import HUNGRY_VARIABLE, cards_seen
from tests.support.runs import events_of, make_config, write_toml

TWO = ("--processes", "2")


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_library(tmp_path_factory.mktemp("driver"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def planned(folder: Path, name: str, **settings: Any) -> Path:
    return write_toml(folder / name / "loracle.toml", make_config(folder, **settings)).parent


def for_a_card(folder: Path, name: str, **settings: Any) -> Path:
    return planned(folder, name, **{"memory__preset": "medium", "memory__compute_dtype": "bfloat16", **settings})


def times(run: Path) -> tuple[float, float]:
    """When its training began and ended, in unix seconds."""
    (started,), (finished,) = events_of(run, "started"), events_of(run, "finished")
    return started["t"], finished["t"]


def were_at_once(one: Path, other: Path) -> bool:
    (began, ended), (other_began, other_ended) = times(one), times(other)
    return began < other_ended and other_began < ended


def test_two_are_trained_at_the_same_time_and_all_are_told_in_their_order(folder: Path) -> None:
    runs = [planned(folder, name) for name in ("a b", "Füchse", "🦊")]
    ended = miniature_trainer.loracle("train", *runs, *TWO, step_seconds=0.05)

    assert ended.returncode == 0, ended.stderr
    assert were_at_once(*runs[:2])
    assert sum(were_at_once(runs[2], run) for run in runs[:2]) <= 1
    rows = ended.stdout[ended.stdout.rindex("outcome") :].splitlines()[1:]
    assert [row.split("  ")[0] for row in rows] == ["a b", "Füchse", "🦊"]
    lines = ended.stdout[: ended.stdout.index("\n\n")].splitlines()
    assert all(line.startswith(("[a b] ", "[Füchse] ", "[🦊] ")) for line in lines)
    assert "[Füchse] Saved model/tok.safetensors" in ended.stdout


def test_each_card_trains_the_runs_that_it_can_and_the_one_planned_for_it(folder: Path, driver: Path) -> None:
    """On an RTX of 8 GB, a GTX of 6 GB and an RTX of 24 GB, of which a made-up driver tells."""
    own = for_a_card(folder, "own", machine__gpu_uuid=RTX_3090)
    large = for_a_card(folder, "large", dataset__resolution_px=1024, schedule__batch_size=64)
    old = planned(folder, "old", memory__preset="medium")
    small = for_a_card(folder, "small")
    runs = (own, large, old, small)
    ended = miniature_trainer.loracle(
        "train", *runs, "--gpus", "all", more=with_cards(driver, "three"), step_seconds=0.05
    )

    assert ended.returncode == 0, ended.stderr
    assert [cards_seen(run) for run in runs] == [[RTX_3090], [RTX_3090], [GTX_1660], [RTX_3070]]
    assert were_at_once(own, old)
    assert were_at_once(own, small)
    assert not were_at_once(own, large)
    assert "[own] Run 1 of 4, on NVIDIA GeForce RTX 3090 (card 2)\n" in ended.stdout
    told = " ".join(ended.stderr.split())
    assert "[small] ! It is not given NVIDIA GeForce GTX 1660 (card 1): it has no bfloat16" in told
    assert "[large] ! It is not given NVIDIA GeForce RTX 3070 (card 0): it has 8.0 GiB, and the run needs" in told


def test_one_that_no_named_card_can_train_is_refused_before_any_is_trained(folder: Path, driver: Path) -> None:
    runs = for_a_card(folder, "a"), for_a_card(folder, "b", machine__gpu_uuid=GTX_1660)
    ended = miniature_trainer.loracle("train", *runs, "--gpu", "1", more=with_cards(driver, "three"))

    assert ended.returncode == 2
    assert "a: no card can train it: NVIDIA GeForce GTX 1660 (card 1): it has no bfloat16" in ended.stderr
    assert str(runs[1]) not in ended.stderr
    assert not any((run / "log").exists() for run in runs)


def test_one_that_is_planned_for_a_card_is_not_taken_for_the_processor(folder: Path) -> None:
    runs = planned(folder, "a"), for_a_card(folder, "b")
    ended = miniature_trainer.loracle("train", *runs, *TWO)

    assert ended.returncode == 2
    assert f"a card is planned {runs[1]}" in ended.stderr
    assert str(runs[0]) not in ended.stderr


def test_as_json_each_has_its_lines_with_its_card_and_the_summary_its_order(folder: Path, driver: Path) -> None:
    runs = for_a_card(folder, "a"), for_a_card(folder, "b"), planned(folder, "c")
    ended = miniature_trainer.loracle(
        "train", *runs, "--gpu", "0,2", "--json", more=with_cards(driver, "three"), step_seconds=0.05
    )

    assert ended.returncode == 0, ended.stderr
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    cards = {line["run"]: line["card"] for line in lines if line["event"] == "run_began"}
    assert cards == {
        str(runs[0]): {"index": 0, "name": "NVIDIA GeForce RTX 3070", "uuid": RTX_3070},
        str(runs[1]): {"index": 2, "name": "NVIDIA GeForce RTX 3090", "uuid": RTX_3090},
        str(runs[2]): None,
    }
    assert {line["run"] for line in lines if line["event"] == "run_ended"} == {str(run) for run in runs}
    assert [row["run"] for row in lines[-1]["runs"]] == [str(run) for run in runs]


def test_a_failed_one_does_not_end_those_beside_it(folder: Path) -> None:
    runs = [planned(folder, name) for name in "abc"]
    (runs[1] / "log").mkdir()
    (runs[1] / "log" / "events.jsonl").mkdir()  # cannot be written
    ended = miniature_trainer.loracle("train", *runs, *TWO, step_seconds=0.05)

    assert ended.returncode in (1, 2, 3)
    assert "1 of 3 runs failed" in ended.stderr
    assert all(events_of(run, "finished") for run in (runs[0], runs[2]))


def test_one_that_steps_down_for_memory_leaves_the_one_beside_it_as_it_is(folder: Path) -> None:
    hungry, other = planned(folder, "hungry"), planned(folder, "other")
    ended = miniature_trainer.loracle("train", hungry, other, *TWO, more={HUNGRY_VARIABLE: "hungry"}, step_seconds=0.05)

    assert ended.returncode == 0, ended.stderr
    assert "[hungry] Out of memory at step 1. Going on with " in ended.stdout
    assert len(RunFolder(hungry).read_ladder().taken) == 1
    assert len(events_of(hungry, "started")) == 2
    assert [event["step"] for event in events_of(other, "step")] == list(range(1, 9))
    assert not RunFolder(other).read_ladder().taken


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_whoever_ends_it_finds_each_with_a_state_and_is_told_how_it_goes_on(folder: Path, number: int) -> None:
    runs = [planned(folder, name, schedule__epochs=500) for name in "abc"]
    started = subprocess.Popen(
        miniature_trainer.command("train", *runs, *TWO), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=miniature_trainer.environment(0.05),
    )  # fmt: skip
    try:
        wait_for(lambda: started.poll() is not None or all(has_begun(run, "step") for run in runs[:2]), "steps")
        started.send_signal(number)
        out, err = started.communicate(timeout=60)
    finally:
        started.kill()

    assert started.returncode == 130, out + err
    for run in runs[:2]:
        assert events_of(run, "failed")[0]["code"] == "interrupted"
        assert RunFolder(run).has_state()
        assert not list(run.glob(".lock*"))
    assert [path.name for path in runs[2].iterdir()] == ["loracle.toml"]
    assert "--processes 2 --resume" in err
    rows = [line.split() for line in out[out.rindex("outcome") :].splitlines()[1:]]
    assert [row[1] for row in rows] == ["interrupted", "interrupted", "not"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_where_their_command_is_killed_both_save_and_end(folder: Path) -> None:
    runs = [planned(folder, name, schedule__epochs=500) for name in "ab"]
    started = subprocess.Popen(
        miniature_trainer.command("train", *runs, *TWO), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=miniature_trainer.environment(0.05),
    )  # fmt: skip
    try:
        wait_for(lambda: started.poll() is not None or all(has_begun(run, "step") for run in runs), "steps")
    finally:
        started.kill()
        started.wait()
    wait_for(lambda: all(events_of(run, "failed") for run in runs), "both to end", 30)

    assert all(RunFolder(run).has_state() for run in runs)
