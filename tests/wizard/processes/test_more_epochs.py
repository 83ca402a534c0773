from __future__ import annotations

import re
from pathlib import Path

import pytest

from advisor.errors import ConfigError, ConfigErrors
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import blank_config, changed
from tests.support.runs import write_toml
from tests.support.states import write_state_manifest
from wizard.processes.more_epochs import set_epochs


def planned(tmp_path: Path, *, done: int | None = None, max_steps: int = 0) -> RunFolder:
    config = changed(changed(blank_config(), "schedule.epochs", 4), "schedule.max_steps", max_steps)
    write_toml(tmp_path / "loracle.toml", config)
    if done is not None:
        write_state_manifest(tmp_path / "state/step-00000008", step=8, epoch=done)
    return RunFolder(tmp_path)


@pytest.mark.parametrize("done", [None, 2, 4])
def test_the_number_is_written_into_the_configuration(tmp_path: Path, done: int | None) -> None:
    run = planned(tmp_path, done=done)

    assert set_epochs(run, run.read_config(), 6).schedule.epochs == 6
    assert run.read_config().schedule.epochs == 6


@pytest.mark.parametrize("epochs", [1, 4])
def test_a_number_that_is_done_already_is_refused_by_name(tmp_path: Path, epochs: int) -> None:
    run = planned(tmp_path, done=4)
    before = run.config.read_bytes()

    with pytest.raises(ConfigError, match=rf"--epochs is {epochs}: .* has done 4 already: .* 5 or more"):
        set_epochs(run, run.read_config(), epochs)
    assert run.config.read_bytes() == before


def test_no_number_of_epochs_is_refused(tmp_path: Path) -> None:
    run = planned(tmp_path)

    with pytest.raises(ConfigErrors, match="--epochs is 0"):
        set_epochs(run, run.read_config(), 0)


def test_a_limit_in_steps_is_named(tmp_path: Path) -> None:
    run = planned(tmp_path, max_steps=30)

    with pytest.raises(ConfigError, match=r"schedule\.max_steps is 30 and ends the training: set it to 0"):
        set_epochs(run, run.read_config(), 6)


@pytest.mark.parametrize("content", ["[]", "{}", '{"position": {"epoch": -3}}', "\x00"])
def test_a_damaged_state_counts_as_none(tmp_path: Path, content: str) -> None:
    run = planned(tmp_path, done=4)
    (tmp_path / "state/step-00000008/manifest.json").write_text(content, encoding="utf-8")

    assert set_epochs(run, run.read_config(), 3).schedule.epochs == 3


@pytest.mark.parametrize("written", ["0x3", "0b11", " 3 # as Ada said"])
def test_the_number_that_is_there_is_left_as_it_is_written(tmp_path: Path, written: str) -> None:
    run = planned(tmp_path)
    text = run.config.read_text("utf-8")
    run.config.write_text(re.sub(r"(?m)^epochs = \d+.*$", f"epochs = {written}", text), "utf-8")
    before = run.config.read_bytes()

    assert set_epochs(run, run.read_config(), 3).schedule.epochs == 3
    assert run.config.read_bytes() == before
