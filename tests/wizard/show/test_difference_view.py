from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from advisor.planning.compare import difference, profiles, with_settings
from advisor.planning.planner import make_plan
from tests.support.factories import make_facts
from wizard.show.difference_view import profiles_view, what_if_view


def rendered(view: object, width: int = 80) -> str:
    file = io.StringIO()
    Console(file=file, width=width, highlight=False, markup=False, emoji=False).print(view)
    return file.getvalue()


def what_if(settings: dict[str, Any], **fields: Any) -> str:
    without = make_facts(**fields)
    facts = with_settings(without, settings)
    return rendered(what_if_view(difference(facts, make_plan(without), make_plan(facts))))


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_profiles_fit_80_columns_without_colour(family: str) -> None:
    text = rendered(profiles_view(profiles(make_facts(family=family))))

    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "\x1b" not in text
    assert "each LoRA" in text


def test_each_side_has_its_value_reason_and_source() -> None:
    lines = rendered(profiles_view(profiles(make_facts())), 200).splitlines()
    at = lines.index(next(line for line in lines if line.startswith("network.rank")))

    assert lines[at + 1].split()[:2] == ["tutorial", "32"]
    assert "[SD Character LoRA Training Tutorial, part 2]" in lines[at + 1]
    assert lines[at + 2].split()[:2] == ["current", "16"]
    assert "notebook" in lines[at + 2]


def test_profiles_that_agree_say_so() -> None:
    assert "Both advise the same here." in rendered(profiles_view(profiles(make_facts(family="sdxl"))))


def test_a_choice_shows_what_follows_and_that_it_still_fits() -> None:
    text = what_if({"network.rank": "48"})

    assert "32 -> 48" in text
    assert "16 -> 24" in text
    assert "It still fits" in text


def test_the_verdict_names_the_memory_of_the_table() -> None:
    text = what_if({"memory.gradient_checkpointing": True}, family="sdxl", vram_gib=12)

    words = next(line for line in text.splitlines() if line.startswith("memory  ")).split()
    assert words[1:6] == ["10.8", "GiB", "9.1", "GiB", "(10.2"]
    assert "It still fits: about 9.1 GiB (10.2 GiB while drawing samples) of 11.5 GiB free." in " ".join(text.split())


def test_what_no_longer_fits_says_by_how_much() -> None:
    assert "It no longer fits: about" in what_if({"schedule.batch_size": "200", "dataset.resolution_px": "1024"})


def test_a_choice_that_changes_nothing_says_so() -> None:
    assert "No setting: the plan was so already." in what_if({"network.rank": "32"})
