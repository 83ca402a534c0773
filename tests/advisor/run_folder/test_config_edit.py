from __future__ import annotations

from pathlib import Path

import pytest

from advisor.errors import RunError
from advisor.run_folder.config_edit import with_number, write_number
from tests.support.effort import at_most

HARD = '''\
# epochs = 1
[run]
trigger = """
epochs = 7
"""
[saving]
epochs = 3  # another table's
[schedule] # mine
  epochs = 1_0  # as I like it\r
name = "cosine"
'''


def test_only_the_number_is_changed_and_comments_stay() -> None:
    assert with_number(HARD, "schedule", "epochs", 12) == HARD.replace("= 1_0 ", "= 12 ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("schedule.epochs = 4\n", "schedule.epochs = 12\n"),
        ("\ufeff[schedule]\nname = 'x'", "\ufeff[schedule]\nepochs = 12\nname = 'x'"),
        ("[run]\nseed = 1\n", "[run]\nseed = 1\n\n[schedule]\nepochs = 12\n"),
        ('schedule = {name = "cosine", epochs = 4}\n', None),
        ("schedule = 3\n", None),
        ("epochs = \n", None),
    ],
)
def test_other_ways_to_write_it(text: str, expected: str | None) -> None:
    assert with_number(text, "schedule", "epochs", 12) == expected


def test_what_is_not_edited_is_named_with_what_to_write(tmp_path: Path) -> None:
    path = tmp_path / "loracle.toml"
    path.write_text("schedule = {epochs = 4}\n", encoding="utf-8")

    with pytest.raises(RunError, match=r"loracle\.toml is written in a way .* set schedule\.epochs to 12 in it"):
        write_number(path, "schedule", "epochs", 12)
    assert path.read_text(encoding="utf-8") == "schedule = {epochs = 4}\n"


def test_a_prompt_full_of_lines_that_look_like_the_setting_costs_a_few_readings() -> None:
    decoys = "epochs = 1\n" * 15_000
    text = f'[sampling]\nnegative = """\n{decoys}"""\n[schedule]\nepochs = 2\n'

    with at_most(30):
        assert with_number(text, "schedule", "epochs", 3) is None


def test_a_link_stays_one_and_a_file_keeps_its_mode(tmp_path: Path) -> None:
    own, link = tmp_path / "mine.toml", tmp_path / "loracle.toml"
    own.write_text("[schedule]\nepochs = 2\n", encoding="utf-8")
    own.chmod(0o600)
    link.symlink_to(own.name)

    write_number(link, "schedule", "epochs", 3)

    assert link.is_symlink()
    assert own.read_text(encoding="utf-8") == "[schedule]\nepochs = 3\n"
    assert own.stat().st_mode & 0o777 == 0o600
