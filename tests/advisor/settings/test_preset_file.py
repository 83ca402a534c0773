from __future__ import annotations

from pathlib import Path

import pytest

from advisor.errors import ConfigErrors, RunError
from advisor.planning.planner import make_plan
from advisor.settings.preset_file import PresetSetting, read_preset
from tests.support.factories import make_facts


def written(folder: Path, text: str) -> Path:
    path = folder / "preset.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_quoted_and_nested_paths_say_the_same(tmp_path: Path) -> None:
    quoted = 'title = "Small"\n[settings]\n"network.rank" = { value = 16, reason = "small" }\n'
    nested = 'title = "Small"\n[settings]\nnetwork.rank = { value = 16, reason = "small" }\n'

    for text in (quoted, nested):
        preset = read_preset(written(tmp_path, text))
        assert preset.settings == (PresetSetting("network.rank", 16, "small"),)


def test_a_preset_without_an_address_names_its_file(tmp_path: Path) -> None:
    path = written(tmp_path, 'title = "Small"\n[settings]\n')

    assert read_preset(path).where == str(path)


def test_a_list_of_folders_is_a_value(tmp_path: Path) -> None:
    text = 'title = "x"\n[settings]\n"dataset.folders" = { value = [{path = "a", repeats = 3}], reason = "few" }\n'

    plan = make_plan(make_facts(preset=read_preset(written(tmp_path, text))))
    assert plan.config.dataset.folders[0].repeats == 3


@pytest.mark.parametrize(
    "text",
    [
        "[settings]\n",
        'title = "x"\n',
        'title = "x"\ntitel = 1\n[settings]\n',
        'title = "x"\n[settings]\n"network.rnak" = { value = 1, reason = "why" }\n',
        'title = "x"\n[settings]\n"network.rank" = 16\n',
        'title = "x"\n[settings]\n"network.rank" = { value = 16 }\n',
        'title = "x"\n[settings]\n"network.rank" = { value = 16, reason = " " }\n',
        'title = "x"\nsettings = 3\n',
        "title = 3\nurl = 4\n[settings]\nnetwork = 5\n",
    ],
)
def test_what_is_wrong_in_a_preset_is_told_with_its_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigErrors, match=r"preset\.toml"):
        read_preset(written(tmp_path, text))


@pytest.mark.parametrize("content", [b"title = ", b"\xff\xfe\x00", b"a = " + b"[" * 5000])
def test_what_is_no_toml_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "preset.toml"
    path.write_bytes(content)

    with pytest.raises(RunError, match=r"preset\.toml"):
        read_preset(path)


def test_a_missing_preset_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be read"):
        read_preset(tmp_path / "none.toml")


def test_a_wrong_value_in_a_preset_is_told_by_the_plan(tmp_path: Path) -> None:
    text = 'title = "x"\n[settings]\n"network.rank" = { value = "many", reason = "why" }\n'
    preset = read_preset(written(tmp_path, text))

    with pytest.raises(ConfigErrors, match=r"network\.rank"):
        make_plan(make_facts(preset=preset))
