from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest

from advisor.errors import MemoryFacts, OutOfMemory, TrainingStopped
from advisor.files import file_digest
from advisor.run_folder.config_file import read_config
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.write_over import UsersFiles
from advisor.run_folder.written import Written, WrittenFiles
from tests.support.runs import make_config, write_toml
from tests.support.states import write_state_manifest
from wizard.commands import measure as command
from wizard.commands.measure import Measured, measure, measured_text
from wizard.interview.questions import Question
from wizard.processes.memory_situation import situation_of
from wizard.processes.receipt_store import ReceiptStore
from wizard.processes.trainer_job import TrainerJob


def test_real_steps_are_made_and_shown_beside_the_predicted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))
    run = tmp_path / "run"
    write_toml(run / "loracle.toml", make_config(tmp_path))

    measure(run, device="cpu", as_json=True)

    found = json.loads(capsys.readouterr().out)
    (receipt,), _ = ReceiptStore().load()
    assert receipt.step_seconds == found["measured_seconds_per_step"]
    assert receipt.torch == version("torch")
    assert (receipt.kind, receipt.peak_bytes) == ("measure", found["measured_bytes"])
    assert (found["device"], found["size"], found["batch_size"]) == ("cpu", [128, 128], 2)
    assert 1 <= found["steps"] <= 5
    assert found["measured_seconds_per_step"] > 0
    assert 0.5 < found["predicted_bytes"] / found["measured_bytes"] < 2
    assert found["fits"]
    assert (found["adjustment"], found["adjusted"]) == ([], False)
    assert not (run / "state").exists()
    assert not RunFolder(run).events.exists()
    assert not (run / "model").exists()


def test_both_stand_side_by_side() -> None:
    text = measured_text(
        Measured(
            "cuda", (512, 512), 4, 5, 6 * 2**30, 5 * 2**30, 0.8, 0.75, predicted_reserved_bytes=7 * 2**30,
            measured_reserved_bytes=8 * 2**30,
        )
    )  # fmt: skip

    assert text.splitlines() == [
        "5 steps on the card, 512 x 512 px (the largest), batch 4",
        "                 predicted    measured",
        "memory             6.0 GiB     5.0 GiB  allocated by torch",
        "                   7.0 GiB     8.0 GiB  reserved for it; the driver's own comes on top",
        "a step takes        0.80 s      0.75 s",
    ]


def test_where_memory_ran_out_no_time_is_told() -> None:
    text = measured_text(Measured("cuda", (512, 512), 4, 0, 6 * 2**30, 7 * 2**30, 0.8, None, fits=False))

    assert text.splitlines()[0] == "Memory ran out on the card, 512 x 512 px (the largest), batch 4"
    assert text.splitlines()[-1].endswith("0.80 s     unknown")


def run_that_does_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A planned run whose probe runs out of memory."""
    run = tmp_path / "run"
    write_toml(run / "loracle.toml", make_config(tmp_path, schedule__batch_size=2))
    decisions = [
        {"path": "memory.gradient_checkpointing", "value": False, "reason": "it fits", "origin": "rule", "source": {}},
        {"path": "network.rank", "value": 4, "reason": "small", "origin": "rule", "source": {"title": "T", "url": "u"}},
    ]
    (run / "plan.json").write_text(json.dumps({"decisions": decisions}), encoding="utf-8")
    config = run / "loracle.toml"
    WrittenFiles(run).note({config: Written(kind="run", sha256=(file_digest(config),))})

    def full(*_: object) -> object:
        raise OutOfMemory("full", MemoryFacts(device="cpu", largest=(128, 128), peak_bytes=2**30))

    monkeypatch.setattr(command, "_probe", full)
    return run


def test_a_plan_that_does_not_fit_stays_as_it_is_until_somebody_agrees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_that_does_not_fit(tmp_path, monkeypatch)
    before = (run / "loracle.toml").read_bytes()

    with pytest.raises(TrainingStopped, match=r"does not fit here: .*--yes"):
        measure(run, device="cpu", as_json=True)

    found = json.loads(capsys.readouterr().out)
    assert (found["fits"], found["steps"], found["adjusted"]) == (False, 0, False)
    assert found["adjustment"][0]["to"] == {"memory.gradient_checkpointing": True}
    assert "saves about" in found["adjustment"][0]["reason"]
    assert (run / "loracle.toml").read_bytes() == before
    with pytest.raises(TrainingStopped):
        measure(run, device="cpu")
    assert "The plan should have:" in capsys.readouterr().out


def test_with_a_yes_loracle_toml_gets_the_rungs_and_the_plans_record_keeps_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_that_does_not_fit(tmp_path, monkeypatch)
    planned = read_config(run)

    measure(run, device="cpu", yes=True)

    config = read_config(run)
    assert config.memory.gradient_checkpointing
    assert config.network == planned.network
    text = (run / "loracle.toml").read_text("utf-8")
    assert "[changed to fit the memory" in text
    assert "small [rule: T]" in text
    document = json.loads((run / "plan.json").read_text("utf-8"))
    decision = document["decisions"][0]
    assert (decision["value"], decision["planned"], decision["origin"]) == (True, False, "ladder")
    assert decision["reason"].startswith("measured on this machine: memory.gradient_checkpointing on: saves about")
    assert document["ladder"][0]["cause"].startswith("Measured: memory ran out")
    assert document["config"]["memory"]["gradient_checkpointing"] is True
    ladder = RunFolder(run).read_ladder()
    assert (ladder.settings, ladder.batch_parts) == ({}, 2)
    assert [rung.rung for rung in ladder.taken] == ["smaller_parts"]


def test_a_hand_edited_loracle_toml_is_adjusted_only_where_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_that_does_not_fit(tmp_path, monkeypatch)
    config, record = run / "loracle.toml", (run / "plan.json").read_bytes()
    edited = config.read_text("utf-8") + "# my own note\n"
    config.write_text(edited, "utf-8")

    with pytest.raises(UsersFiles, match=r"loracle\.toml is not as Loracle wrote it.*add --overwrite"):
        measure(run, device="cpu", yes=True)
    assert config.read_text("utf-8") == edited
    assert (run / "plan.json").read_bytes() == record
    assert not (run / "state").exists()

    measure(run, device="cpu", yes=True, overwrite=True)
    assert (run / "loracle.toml.bak").read_text("utf-8") == edited
    assert read_config(run).memory.gradient_checkpointing
    assert (run / "plan.json.bak").read_bytes() == record


def test_what_was_adjusted_after_measuring_is_not_taken_for_the_users_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_that_does_not_fit(tmp_path, monkeypatch)
    measure(run, device="cpu", yes=True)

    assert situation_of(TrainerJob(RunFolder(run), device="cpu"), MemoryFacts()).chosen == frozenset()


def test_a_run_that_has_begun_is_left_to_the_ladder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_that_does_not_fit(tmp_path, monkeypatch)
    write_state_manifest(RunFolder(run).state_of_step(4), step=4, epoch=1)

    with pytest.raises(TrainingStopped):
        measure(run, device="cpu", yes=True)

    assert "The run has begun" in capsys.readouterr().out


@pytest.mark.parametrize("answer", ["yes", "no"])
def test_at_a_terminal_it_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    run = run_that_does_not_fit(tmp_path, monkeypatch)
    asked = list[str]()

    class Ask:
        def __call__(self, question: Question) -> str:
            asked.append(question.text)
            return answer

    monkeypatch.setattr(command, "is_terminal", lambda: True)
    monkeypatch.setattr(command, "TerminalAsk", Ask)

    if answer == "yes":
        measure(run, device="cpu")
    else:
        with pytest.raises(TrainingStopped):
            measure(run, device="cpu")

    assert asked == ["Change the plan so?"]
    assert read_config(run).memory.gradient_checkpointing is (answer == "yes")
