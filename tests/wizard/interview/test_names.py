from __future__ import annotations

import pytest

from advisor.errors import ConfigError
from wizard.interview.names import checked_name, proposed_name


@pytest.mark.parametrize("name", ["mira", "Mira Fox", "füchsin_v2", "狐", "a.b", "mira-2"])
def test_names_that_can_be_file_names_are_taken(name: str) -> None:
    assert checked_name(f" {name} ") == name


@pytest.mark.parametrize(
    "name",
    ["", "  ", "a/b", "a\\b", "a:b", 'a"b', "a<b", "x" * 121, "ü" * 61, "nul", "COM1", "con.x", "mira.", ".m", "-m"],
)
def test_names_that_some_system_refuses_are_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        checked_name(name)


@pytest.mark.parametrize(
    ("folder", "concepts", "name"),
    [
        ("/home/me/Mira Fox", (), "Mira_Fox"),
        ("/home/me/mira/images", (), "mira"),
        ("C:\\lora\\10_mira girl\\", (), "mira_girl"),
        ("/sets/kit", ("mira girl", "mira girl"), "mira_girl"),
        ("/sets/kit", ("a", "b"), "kit"),
        ("/images", (), ""),
    ],
)
def test_the_folder_suggests_a_name(folder: str, concepts: tuple[str, ...], name: str) -> None:
    assert proposed_name(folder, concepts) == name
