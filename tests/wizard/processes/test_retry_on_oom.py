"""The launcher's way down the ladder, with a trainer of the tests' own that runs out of memory until it is content."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path

import pytest

from advisor.errors import TrainingStopped
from advisor.run_folder.ladder_file import Ladder, Taken
from advisor.run_folder.layout import RunFolder
from tests.support.fake_trainer import SCRIPT_HEAD, SilentScreen, run_folder
from tests.support.runs import events_of
from wizard.processes.retry_on_oom import train_with_retries
from wizard.processes.trainer_job import TrainerJob
from wizard.show.progress import TrainingProgress

GREEDY = """
path = os.path.join(run, "state", "ladder.json")
taken = len(json.load(open(path, encoding="utf-8"))["taken"]) if os.path.exists(path) else 0
send("started", resumed_from=2 if "--resume" in sys.argv else None)
step(3 + taken)
os.makedirs(os.path.join(run, "state", "step-00000002"), exist_ok=True)
open(os.path.join(run, "state", "step-00000002", "manifest.json"), "w").close()
if taken < {content}:
    seen = {{"phase": "step", "largest": [192, 128], **{more}}}
    send("failed", code="out_of_memory", message="full. Try this.", memory=seen)
    sys.exit(75)
send("finished", steps=9, seconds=1.0)
"""


SPILLING = """
tolerates = "--tolerate-sysmem-fallback" in sys.argv
send("started", tolerates=tolerates)
step(12)
os.makedirs(os.path.join(run, "state", "step-00000012"), exist_ok=True)
open(os.path.join(run, "state", "step-00000012", "manifest.json"), "w").close()
if not tolerates:
    send("failed", code="out_of_memory", message="slow. Try this.", memory={{"phase": "step", "spill": 41.3, **{more}}})
    sys.exit(75)
send("finished", steps=19, seconds=1.0)
"""


def train(
    tmp_path: Path,
    run: Path,
    *,
    content: int = 0,
    script: str = GREEDY,
    screen: SilentScreen | None = None,
    more: dict[str, object] | None = None,
) -> TrainingProgress:
    trainer = tmp_path / "trainer.py"
    filled = script.format(content=content, more=more or {})
    trainer.write_text(SCRIPT_HEAD + textwrap.dedent(filled), encoding="utf-8")

    def command(job: TrainerJob) -> list[str]:
        more = job.command()[5:]
        return [sys.executable, "-P", str(trainer), str(job.run.path), *more]

    return train_with_retries(TrainerJob(RunFolder(run)), screen or SilentScreen(), command=command)


def test_it_goes_down_rung_by_rung_and_on_from_the_last_state(tmp_path: Path) -> None:
    run, screen = run_folder(tmp_path), SilentScreen()

    progress = train(tmp_path, run, content=2, screen=screen)

    assert [rung.rung for rung in progress.ladder] == ["checkpointing", "smaller_parts"]
    assert [event["resumed_from"] for event in events_of(run, "started")] == [None, 2, 2]
    assert any(note.startswith("Out of memory at step 3. Going on with memory.gradient") for note in screen.notes)


def test_every_rung_is_told_in_the_events_and_kept_for_the_next_start(tmp_path: Path) -> None:
    run = run_folder(tmp_path)

    train(tmp_path, run, content=2)

    first, second = events_of(run, "ladder")
    assert (first["rung"], first["from"], first["to"], first["step"]) == (
        "checkpointing", {"memory.gradient_checkpointing": False}, {"memory.gradient_checkpointing": True}, 3,
    )  # fmt: skip
    assert (second["from"], second["to"]) == ({"batch_parts": 1}, {"batch_parts": 2})
    kept = RunFolder(run).read_ladder()
    assert (kept.batch_parts, kept.settings) == (2, {"memory.gradient_checkpointing": True})


CUT_OFF = """
if not os.path.exists(os.path.join(run, "state", "ladder.json")):
    send("failed", code="out_of_memory", message="full. Try this.", memory={{"phase": "step", "largest": [192, 128]}})
    with open(os.path.join(run, "log", "events.jsonl"), "a", encoding="utf-8") as file:
        file.write('{{"t": 1, "event": "war')
    sys.exit(75)
send("finished", steps=9, seconds=1.0)
"""


def test_no_rung_is_lost_where_the_trainer_left_half_a_line(tmp_path: Path) -> None:
    run = run_folder(tmp_path)

    train(tmp_path, run, script=CUT_OFF)

    log = RunFolder(run).read_events()
    assert [event.event for event in log.events] == ["failed", "ladder", "finished"]
    assert log.damaged_lines == 1


def test_the_plans_record_keeps_both(tmp_path: Path) -> None:
    run = run_folder(tmp_path)

    train(tmp_path, run, content=1)

    document = json.loads((run / "plan.json").read_text(encoding="utf-8"))
    decision = document["decisions"][0]
    assert (decision["value"], decision["origin"], decision["planned"]) == (True, "ladder", False)
    assert decision["reason"].startswith("memory ran out: memory.gradient_checkpointing on: saves about")
    assert [rung["rung"] for rung in document["ladder"]] == ["checkpointing"]


def test_where_only_the_users_choices_are_left_it_stops_and_names_them(tmp_path: Path) -> None:
    run = run_folder(tmp_path)

    with pytest.raises(TrainingStopped, match=r"full\. What would still help.*dataset\.resolution_px 64") as caught:
        train(tmp_path, run, content=99)

    assert caught.value.exit_code == 3
    assert {rung.rung for rung in RunFolder(run).read_ladder().taken} == {
        "checkpointing",
        "smaller_parts",
        "base_dtype",
    }


def test_a_value_changed_in_the_toml_by_hand_is_the_users_too(tmp_path: Path) -> None:
    run = run_folder(tmp_path, memory__gradient_checkpointing=True)

    progress = train(tmp_path, run, content=1)

    assert [rung.rung for rung in progress.ladder] == ["smaller_parts"]


def test_a_spill_takes_what_does_no_harm_and_is_borne_then(tmp_path: Path) -> None:
    run, screen = run_folder(tmp_path), SilentScreen()

    progress = train(tmp_path, run, script=SPILLING, screen=screen, more={"others_bytes": 2**30})

    assert [rung.rung for rung in progress.ladder] == ["checkpointing", "smaller_parts", "smaller_parts"]
    assert [event["tolerates"] for event in events_of(run, "started")] == [False] * 4 + [True]
    assert screen.notes[0].startswith(
        "From step 12 on a step takes 41 times as long, because the card's memory is full. "
        "Other programs have taken about 1.0 GiB of it since the start"
    )
    assert screen.notes[-1].endswith("so it goes on as it is, slowly.")


def test_memory_that_other_programs_took_is_told_with_each_rung_and_at_the_end(tmp_path: Path) -> None:
    run, screen = run_folder(tmp_path), SilentScreen()

    with pytest.raises(TrainingStopped, match=r"full\. Other programs have taken about 2\.0 GiB of it.*What would"):
        train(tmp_path, run, content=99, screen=screen, more={"others_bytes": 2 * 2**30})

    assert "Other programs have taken about 2.0 GiB" in screen.notes[0]
    assert all("about 2.0 GiB" in rung.cause for rung in RunFolder(run).read_ladder().taken)


def test_a_rung_is_kept_with_what_it_saves_and_costs(tmp_path: Path) -> None:
    run = run_folder(tmp_path)

    rung = train(tmp_path, run, content=1).ladder[0]

    assert (rung.step, rung.cause) == (3, "Out of memory at step 3.")
    assert rung.price == "the same result; a step takes 38 % longer"
    assert rung.saved_bytes > 2**20
    assert rung.slowdown == 1.38
    assert events_of(run, "ladder")[0]["saved_bytes"] == rung.saved_bytes


def test_a_run_without_a_ladder_has_none(tmp_path: Path) -> None:
    assert RunFolder(tmp_path).read_ladder() == Ladder()


def test_a_rung_that_is_in_force_is_told_at_the_next_start(tmp_path: Path) -> None:
    run, screen = run_folder(tmp_path), SilentScreen()
    train(tmp_path, run, content=1)

    train(tmp_path, run, content=1, screen=screen)

    assert any(note.startswith("Memory ran out before, so it goes on with memory.gradient") for note in screen.notes)


def test_a_rung_is_forgotten_where_the_user_has_set_its_setting_anew(tmp_path: Path) -> None:
    run, screen = run_folder(tmp_path), SilentScreen()
    taken = Taken(
        rung="smaller", before={"dataset.resolution_px": 2048}, after={"dataset.resolution_px": 256}, message="m"
    )
    RunFolder(run).write_ladder(Ladder(settings={"dataset.resolution_px": 256}, taken=(taken,)))

    progress = train(tmp_path, run, content=0, screen=screen)

    assert not any("Memory ran out" in note for note in screen.notes)
    assert progress.ladder == ()
    assert RunFolder(run).read_ladder() == Ladder()
