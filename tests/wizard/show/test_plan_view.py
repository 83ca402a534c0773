from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from rich.console import Console

from advisor.planning.planner import make_plan
from advisor.settings.config import setting_paths
from tests.support.factories import make_facts, make_gpu, make_hardware
from wizard.show.durations import clock_time
from wizard.show.plan_view import ESSENTIAL, estimate_rows, licence_rows, plan_view


def rendered(width: int = 80, *, everything: bool = False, **fields: object) -> str:
    facts = make_facts(**fields)  # type: ignore[arg-type]
    file = io.StringIO()
    console = Console(file=file, width=width, highlight=False, markup=False, emoji=False)
    console.print(plan_view(facts, make_plan(facts), everything=everything))
    return file.getvalue()


def test_essential_settings_are_settings() -> None:
    assert set(ESSENTIAL) <= set(setting_paths())


def test_a_plan_fits_80_columns_and_names_are_whole() -> None:
    text = rendered()

    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "text_encoder_learning_rate 5e-5" in text


@pytest.mark.parametrize("fields", [{}, {"family": "sdxl", "hardware": make_hardware(4.0)}, {"num_images": 8}])
def test_a_plan_takes_about_twenty_lines_of_80_columns(fields: dict[str, Any]) -> None:
    assert rendered(**fields).count("\n") <= 22


@pytest.mark.parametrize("hour", [12, 23.9])
def test_a_plan_leads_with_what_is_trained_how_long_and_how_big(monkeypatch: pytest.MonkeyPatch, hour: float) -> None:
    now = datetime(2026, 3, 2).timestamp() + hour * 3600
    monkeypatch.setattr("wizard.show.plan_view.clock_time", lambda _, seconds: clock_time(now, seconds))
    labels = [line.split()[0] for line in rendered().splitlines()[1:10] if line.strip()]

    assert labels == ["mira:", "base", "steps", "time", "memory", "files", "pictures", "Settings"]


@pytest.mark.parametrize("everything", [False, True])
def test_warnings_come_last_so_that_they_stay_on_the_screen(everything: bool) -> None:
    facts = make_facts(num_images=8)
    plan = make_plan(facts)
    text = rendered(everything=everything, num_images=8)

    assert " ".join(text.split()).endswith(" ".join(plan.warnings[-1].message.split()))
    assert text.index(plan.warnings[0].message[:40]) > text.index("gradient_checkpointing")


def test_what_a_choice_changes_stands_before_the_warnings() -> None:
    facts = make_facts(num_images=8)
    file = io.StringIO()
    Console(file=file, width=80).print(plan_view(facts, make_plan(facts), changes="CHANGED"))

    assert file.getvalue().index("CHANGED") < file.getvalue().index("only 8 pictures")


def test_the_full_plan_has_the_addresses_of_its_sources_and_what_they_say() -> None:
    text = " ".join(rendered(everything=True).split())

    assert "where the reasons come from" in text
    assert text.count("https://www.patreon.com/posts/90242265") == 1
    assert "rank 32, 64 or 128 by pictures" in text


def test_the_full_plan_has_reasons_and_how_sure_the_figures_are() -> None:
    text = rendered(everything=True)

    assert "30 pictures: 32 holds" in text
    assert "counted on a simulated step" in " ".join(text.split())
    assert "\nRAM " in text


def test_a_plan_without_colour_has_no_escapes() -> None:
    assert "\x1b" not in rendered()


def test_what_the_user_chose_is_shown_and_marked() -> None:
    text = rendered(settings={"loss.noise_offset": 0.05, "network.rank": 48})

    assert "*noise_offset 0.05" in text
    assert "*rank 48" in text
    assert "* is chosen by you" in text
    assert "! alpha 24 is no power of two" in text


def test_everything_shows_every_setting() -> None:
    text = rendered(everything=True)

    assert all(path.partition(".")[2] in text for path in setting_paths())


def test_what_it_takes_is_told() -> None:
    text = rendered()

    for name in ("base", "steps", "memory", "time", "files"):
        assert f"\n{name} " in text


def test_markup_in_names_is_shown_as_it_is() -> None:
    assert "[red]mira[/red]" in rendered(trigger="[red]mira[/red]")


def test_epochs_exposures_range_finish_and_energy_are_told() -> None:
    gpu = make_gpu(8, power_limit_watts=220.0)
    facts = make_facts(hardware=make_hardware(gpus=(gpu,)))
    rows = dict(estimate_rows(make_plan(facts).estimate, facts))

    assert "in 10 epochs, each picture about" in rows["steps"]
    assert "begun now, done at" in rows["time"]
    assert "Wh at most" in rows["energy"]
    assert "of the machine's" in rows["RAM"]


def test_on_a_processor_no_energy_is_told() -> None:
    facts = make_facts(hardware=make_hardware(None))
    rows = dict(estimate_rows(make_plan(facts).estimate, facts))

    assert not {"energy", "RAM"} & set(rows)


def test_a_card_that_is_only_imagined_is_told_to_be_of_unknown_speed() -> None:
    hardware = make_hardware().with_gpu(total_bytes=8 * 1024**3)
    facts = make_facts(hardware=hardware)

    assert dict(estimate_rows(make_plan(facts).estimate, facts))["time"] == "unknown for this card"
    assert "(compute capability 8.6) has bfloat16" in make_plan(facts).by_path["memory.compute_dtype"].reason


def test_a_quantised_base_is_shown_since_it_costs_quality() -> None:
    assert "nf4" in rendered(family="sdxl", hardware=make_hardware(4.0))
    assert "base_dtype" not in rendered(family="sdxl", hardware=make_hardware(24.0))


def test_in_how_many_blocks_is_checkpointed_is_shown_where_it_is_not_all() -> None:
    assert "checkpointed_blocks 4" in rendered(family="sdxl", hardware=make_hardware(12.0))
    assert "checkpointed_blocks" not in rendered(hardware=make_hardware(12.0))


def test_a_plan_says_how_many_pictures_are_drawn_and_how_long_that_takes() -> None:
    assert "pictures  4 by the base alone, then 4 after each epoch, in about 2 minutes" in rendered()


def test_a_plan_without_pictures_says_why() -> None:
    assert "pictures  none: drawing would need 4.0 GiB of the 3.5 GiB free" in rendered(vram_gib=4.0)
    assert "pictures  none while it trains" in rendered(settings={"sampling.prompts": []})


def test_the_licence_of_loras_is_told_where_it_is_narrow() -> None:
    case = make_facts()
    of_anima = replace(case, model=replace(case.model, family="anima"))

    assert licence_rows(case) == []
    ((name, told),) = licence_rows(of_anima)
    assert name == "licence"
    assert "not for commercial use" in told


def test_warnings_name_commands_as_the_user_types_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORACLE_COMMAND", "python3 start.py")

    told = " ".join(rendered(gpus=()).split())

    assert "`python3 start.py doctor` tells why" in told
    assert "`loracle" not in told
