from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from advisor.errors import ConfigErrors, RunError
from advisor.run_folder.ladder_file import Ladder
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import changed
from tests.support.factories import make_plan_config
from tests.support.runs import make_config, write_toml

WRONG = [
    "../x", "..", ".", "a/b", "/etc/x", "a\\b", "C:x", "nul", "CON.txt", "com1", "com\u00b9", "con .x", "-rf",
    "a\x1b[2J", "a\nb", "a\u202eb", "a.", " a", "a ", "x" * 121, "\u72d0" * 70, "a\u200b", "a\x7f", "a?", "",
]  # fmt: skip
FINE = [
    "mira",
    "Mira Fox 2",
    "f\u00fcchsin",
    "\u72d0" * 60,
    "a.b",
    "x" * 120,
    "\U0001f98a",
    ".mira",
    "nully",
    "a-b_c(1)",
]


@pytest.mark.parametrize("name", WRONG)
def test_a_name_that_is_no_files_is_refused_wherever_it_comes_from(name: str) -> None:
    config = make_plan_config()

    with pytest.raises(ConfigErrors, match=r"saving\.name"):
        changed(config, "saving.name", name)
    with pytest.raises(ValidationError, match=r"never saving\.name"):
        Ladder(settings={"saving.name": name})


@pytest.mark.parametrize("name", FINE)
def test_names_that_were_fine_stay_fine(name: str) -> None:
    assert changed(make_plan_config(), "saving.name", name).saving.name == name


def test_a_run_whose_name_leads_out_of_it_is_not_read(tmp_path: Path) -> None:
    toml = tmp_path / "loracle.toml"
    write_toml(toml, make_config(tmp_path))
    lines = toml.read_text("utf-8").splitlines()
    toml.write_text("\n".join('name = "../../x"' if line == 'name = "tok"' else line for line in lines), "utf-8")

    with pytest.raises((ConfigErrors, RunError), match="cannot hold '/'"):
        RunFolder(tmp_path).read_config()
