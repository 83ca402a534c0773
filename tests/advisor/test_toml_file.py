from __future__ import annotations

from pathlib import Path

import pytest

from advisor.errors import ConfigErrors, RunError
from advisor.run_folder.config_file import read_config
from advisor.settings.preset_file import read_preset
from advisor.toml_file import parse_toml, read_toml
from tests.support.special_files import KINDS, on_posix, special_file


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a = " + "9" * 5000, "is not valid TOML: it holds a number of thousands of digits"),
        ("a = 0x" + "f" * 5000, "is not valid TOML: it holds a number of more than 100 digits"),
        (".".join("a" * 2000) + " = 1", "is not valid TOML: a key in it has too many parts"),
        ("a = " + "[" * 5000, "is nested too deeply to be a preset"),
        ("a = " + "[" * 300 + "]" * 300, "is not valid TOML: it is nested too deeply"),
        ("a = 1\na = 2", "is not valid TOML: Cannot overwrite a value"),
    ],
)
def test_what_is_made_to_trip_the_reader_is_refused_with_the_reason(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "a.toml").write_text(text)

    with pytest.raises(RunError) as error:
        read_toml(tmp_path / "a.toml", kind="preset", most_bytes=100_000)
    assert str(error.value).startswith(f"{tmp_path / 'a.toml'} {reason}")


@on_posix
@pytest.mark.parametrize("kind", KINDS)
def test_only_regular_files_are_read(tmp_path: Path, kind: str) -> None:
    with (
        special_file(tmp_path / "a.toml", kind) as path,
        pytest.raises(RunError, match=r"the preset .* cannot be read: it is a .* and no regular file"),
    ):
        read_toml(path, kind="preset", most_bytes=100_000)


def test_larger_files_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("a = 1\n" * 10)

    with pytest.raises(RunError, match="larger than any preset: is it the right file"):
        read_toml(tmp_path / "a.toml", kind="preset", most_bytes=10)


def test_keys_of_some_parts_are_read() -> None:
    assert parse_toml("a.b.'c d'.\"e\" = 1") == {"a": {"b": {"c d": {"e": 1}}}}


def test_every_wrong_setting_of_a_configuration_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "loracle.toml").write_text(
        "\n".join(
            [
                'model = { path = "m", family = "sd1" }',
                "# [network]",
                "[dataset]",
                'images = "p"',
                'trigger_note = """',
                "resolution_px = 5",
                '"""',
                "resolution_px = 'big'",
                "folders = [",
                '    { path = "10_fox", repeats = "x" },',
                "]",
                '[ "network" ]',
                "rnak = 3",
                "alpha = -1",
                "[saving]",
                "schedule.batch_size = 0",
            ]
        ),
        "utf-8",
    )

    with pytest.raises(ConfigErrors) as caught:
        read_config(tmp_path)

    first, *lines = str(caught.value).splitlines()
    assert first == f"{tmp_path / 'loracle.toml'}:"
    assert [line.partition(" is ")[0].partition(": did")[0] for line in lines] == [
        "line 9: dataset.folders.0.repeats",
        "line 8: dataset.resolution_px",
        "line 5: there",
        "line 14: network.alpha",
        "line 13: there",
        "line 15: saving.name",
        "line 16: there",
    ]


def test_a_preset_s_errors_have_their_lines_too(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('title = ""\n[settings]\n"network.rank" = 3\n"x.y" = { value = 1, reason = "so" }\n', "utf-8")

    with pytest.raises(ConfigErrors) as caught:
        read_preset(file)

    assert [line.partition(" is ")[0] for line in str(caught.value).splitlines()[1:]] == [
        "line 1: title",
        "line 3: network.rank",
        "line 4: there",
    ]
