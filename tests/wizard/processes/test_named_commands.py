"""Commands that messages name lead to the run that the user named, also by a configuration of another name."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from advisor.errors import RunError
from advisor.run_folder.layout import RunFolder
from tests.support.runs import write_toml
from tests.support.samples import sample_config
from tests.support.states import write_state_manifest
from wizard.processes.before_training import refuse_begun


@pytest.mark.parametrize("name", ["loracle.toml", "other one.toml"])
def test_the_named_command_goes_on_with_the_configuration_that_was_given(tmp_path: Path, name: str) -> None:
    given = write_toml(tmp_path / "my run" / name, sample_config(tmp_path / "p"))
    run = RunFolder.given(given)
    write_state_manifest(run.state_of_step(8), step=8, epoch=2)

    with pytest.raises(RunError) as refused:
        refuse_begun(run)

    command = shlex.split(str(refused.value).split("`")[1])
    assert command[1] == "train"
    assert RunFolder.given(Path(command[2])).config == given
