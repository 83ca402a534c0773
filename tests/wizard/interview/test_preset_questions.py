from __future__ import annotations

from pathlib import Path

import pytest

from advisor.errors import ConfigError, RunError
from advisor.settings.preset_file import read_preset
from tests.support.factories import make_plan_for
from tests.support.scripted import ScriptedAsk
from wizard.interview.preset_questions import keep_as_preset, preset_text, start_question
from wizard.interview.preset_store import PresetStore
from wizard.interview.questions import BACK

PLAN = make_plan_for(settings={"network.rank": "48", "loss.noise_offset": "0.05"})


def keep(folder: Path, *answers: str) -> tuple[Path | None, ScriptedAsk]:
    presets, ask = PresetStore(folder), ScriptedAsk(*answers)
    return keep_as_preset(PLAN, ask, presets), ask


def test_a_saved_preset_is_found_again(tmp_path: Path) -> None:
    file, _ = keep(tmp_path, "dolls")

    assert PresetStore(tmp_path).files() == (file,)
    assert file is not None
    found = {setting.path: setting.value for setting in read_preset(file).settings}
    assert found == {"network.rank": 48, "loss.noise_offset": 0.05}


def test_an_edited_preset_is_kept_beside_after_a_yes(tmp_path: Path) -> None:
    first, _ = keep(tmp_path, "dolls")
    assert first is not None
    first.write_text("mine", "utf-8")

    again, _ = keep(tmp_path, "dolls", "yes")

    assert again == first
    assert first.with_name("dolls.toml.bak").read_text("utf-8") == "mine"
    assert PresetStore(tmp_path).files() == (first,)


def test_an_old_preset_is_lost_only_after_a_yes(tmp_path: Path) -> None:
    first, _ = keep(tmp_path, "dolls")
    assert first is not None
    first.write_text("mine", "utf-8")

    other, ask = keep(tmp_path, "dolls", "no", "dolls 2")

    assert ask.keys == ["preset_name", "replace_preset", "preset_name"]
    assert first.read_text("utf-8") == "mine"
    assert other == first.with_name("dolls 2.toml")
    keep(tmp_path, "dolls.toml", "yes")
    assert read_preset(first).title == "dolls"


@pytest.mark.parametrize("answer", [BACK, "", "  "])
def test_a_preset_may_be_called_off(tmp_path: Path, answer: str) -> None:
    file, _ = keep(tmp_path, answer)

    assert file is None
    assert PresetStore(tmp_path).files() == ()


def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="file name"):
        keep(tmp_path, "../elsewhere")


def test_only_toml_files_are_presets_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "presets"
    folder.mkdir()
    for name in ("b.toml", "A.toml", "notes.txt", ".b.toml.part"):
        (folder / name).touch()

    assert [file.name for file in PresetStore(tmp_path).files()] == ["A.toml", "b.toml"]


def test_presets_are_offered_only_where_there_are_some() -> None:
    assert start_question(()) is None

    question = start_question(("/presets/dolls.toml",))

    assert question is not None
    assert [option.title for option in question.options] == ["The rules alone", "My preset dolls"]
    assert question.default == "none"


def test_what_a_preset_sets_is_told(tmp_path: Path) -> None:
    file, _ = keep(tmp_path, "dolls")

    assert file is not None
    text = preset_text(read_preset(file))
    assert "network.rank = 48" in text
    assert "loss.noise_offset = 0.05" in text


def test_a_preset_of_nothing_asks_for_no_name(tmp_path: Path) -> None:
    presets, ask = PresetStore(tmp_path), ScriptedAsk()

    with pytest.raises(RunError, match="nothing from the rules"):
        keep_as_preset(make_plan_for(), ask, presets)


def test_a_preset_of_endless_texts_is_told_in_some_lines(tmp_path: Path) -> None:
    file, prompts = tmp_path / "endless.toml", ", ".join(['"p"'] * 50_000)
    file.write_text(
        f'title = "{"t" * 50_000}"\n[settings]\n"sampling.prompts" = {{ value = [{prompts}], reason = "r" }}\n'
    )

    assert len(preset_text(read_preset(file))) < 600
