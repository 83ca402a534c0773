from __future__ import annotations

from pathlib import Path

import pytest

from advisor.errors import ConfigError, LoraError
from advisor.run_folder.layout import RunFolder
from tests.support.fake_trainer import run_folder
from tests.support.scripted import Answer, ScriptedAsk, default
from tests.support.states import write_state_manifest
from wizard.interview.go_on import GoingOn, asked_to_go_on
from wizard.interview.questions import BACK


def begun(tmp_path: Path, *, epoch: int, has_lora: bool = False, max_steps: int = 0) -> RunFolder:
    """A run of two epochs that has a state after so many."""
    run = RunFolder(run_folder(tmp_path, schedule__max_steps=max_steps))
    write_state_manifest(run.state_of_step(4 * epoch), step=4 * epoch, epoch=epoch)
    if has_lora:
        run.model.mkdir()
        run.lora("tok").write_bytes(b"")
    return run


def asked(run: RunFolder, *answers: Answer) -> tuple[GoingOn, ScriptedAsk]:
    ask = ScriptedAsk(*answers)
    return asked_to_go_on(run, run.read_config(), ask), ask


def test_a_begun_run_is_gone_on_with_after_a_yes(tmp_path: Path) -> None:
    wish, ask = asked(begun(tmp_path, epoch=1), default)

    assert wish == GoingOn(resume=True)
    assert ask.asked[0].text == "This training was begun: 1 of 2 epochs, step 4. Go on?"


def test_after_a_no_nothing_is_trained(tmp_path: Path) -> None:
    with pytest.raises(LoraError, match="Nothing was trained"):
        asked(begun(tmp_path, epoch=1), "no")


def test_one_that_was_not_begun_is_not_asked_about(tmp_path: Path) -> None:
    assert asked(RunFolder(run_folder(tmp_path)))[0] == GoingOn()


def test_a_finished_run_is_asked_for_more_epochs(tmp_path: Path) -> None:
    wish, ask = asked(begun(tmp_path, epoch=2, has_lora=True), default)

    assert wish == GoingOn(resume=True, epochs=4)
    assert "finished: 2 epochs" in ask.asked[0].text


@pytest.mark.parametrize("answer", [BACK, "", " "])
def test_a_finished_run_may_stay_as_it_is(tmp_path: Path, answer: str) -> None:
    with pytest.raises(LoraError, match="Nothing was trained"):
        asked(begun(tmp_path, epoch=2, has_lora=True), answer)


def test_a_number_of_epochs_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'a few'.*whole number"):
        asked(begun(tmp_path, epoch=2, has_lora=True), "a few")


def test_one_that_lacks_but_its_last_lora_goes_on(tmp_path: Path) -> None:
    assert asked(begun(tmp_path, epoch=2), default)[0] == GoingOn(resume=True)


def test_one_that_max_steps_ended_is_refused_as_ever(tmp_path: Path) -> None:
    assert asked(begun(tmp_path, epoch=1, max_steps=4))[0] == GoingOn()
