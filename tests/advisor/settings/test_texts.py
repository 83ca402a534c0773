"""Texts of settings: what cannot stand in a line, or in a prompt, is refused in the configuration itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.answers import Answers
from advisor.errors import ConfigErrors, RunError
from advisor.run_folder.answers_file import read_answers
from advisor.settings.config import blank_config, changed, parse_config
from advisor.settings.parse_value import WrongValue
from advisor.settings.preset_file import read_preset

LINES = ("run.trigger", "dataset.keep_tokens_separator", "machine.gpu_uuid")
UNFIT_LINES = (
    "mi\nra",
    "mira\x00",
    "\x1b[2Jmira",
    "mi\tra",
    "mi\u2028ra",
    "\u202emira",
    "mi\u200bra",
    "mi\ud800ra",
    "mi\x85ra",
)


@pytest.mark.parametrize("path", LINES)
@pytest.mark.parametrize("text", UNFIT_LINES, ids=ascii)
def test_what_stands_in_a_line_has_one_line_of_letters_that_are_seen(path: str, text: str) -> None:
    with pytest.raises(ConfigErrors, match="write it anew") as told:
        changed(blank_config(), path, text)

    assert text not in str(told.value)


@pytest.mark.parametrize("text", ["mira", "Füchsin", "mira fox", "نیم\u200cفاصله", "👩\u200d🎤", ""])
def test_words_of_every_language_can_be_a_trigger(text: str) -> None:
    assert changed(blank_config(), "run.trigger", text).run.trigger == text


@pytest.mark.parametrize("path", ["sampling.prompts", "sampling.negative"])
@pytest.mark.parametrize("text", ["mira\x00", "\x1b[2J", "\x9b2J", "a\x7f", "\ud800"], ids=ascii)
def test_a_prompt_holds_no_control_characters(path: str, text: str) -> None:
    with pytest.raises(ConfigErrors, match="leave that out"):
        changed(blank_config(), path, (text,) if path == "sampling.prompts" else text)


def test_a_prompt_may_have_several_lines() -> None:
    text = "mira,\n\tsmile\r\n"

    assert changed(blank_config(), "sampling.prompts", (text,)).sampling.prompts == (text,)


def test_the_caption_of_a_folder_is_a_line() -> None:
    tree = blank_config().model_dump()
    tree["dataset"]["folders"] = [{"path": "a", "repeats": 1, "caption": "mira\nfox"}]

    with pytest.raises(ConfigErrors, match="write it anew"):
        parse_config(tree)


def test_answers_are_checked_likewise(tmp_path: Path) -> None:
    (tmp_path / "answers.toml").write_text('name = "mira"\ntrigger = "mi\\nra"\n')

    with pytest.raises(RunError, match=r"trigger: .*write it anew"):
        read_answers(tmp_path / "answers.toml")
    with pytest.raises(ValueError, match="write it anew"):
        Answers(name="mira", trigger="mi\x1bra")


def test_a_preset_is_checked_likewise(tmp_path: Path) -> None:
    preset = tmp_path / "preset.toml"
    preset.write_text('title = "x"\n[settings]\n"run.trigger" = { value = "mi\\u001bra", reason = "r" }\n')

    (entry,) = read_preset(preset).settings

    assert isinstance(entry.value, WrongValue)
    assert "write it anew" in str(entry.value.errors[0])
