from __future__ import annotations

import io

from rich.console import Console

from advisor.planning.planner import make_plan
from advisor.settings.config import setting_paths
from tests.support.factories import make_facts, make_gpu, make_hardware
from wizard.show.plan_view import ESSENTIAL, estimate_rows, plan_view


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
    assert "text_encoder_learning_rate  " in text
    assert "30 pictures: 32 holds" in text


def test_a_plan_without_colour_has_no_escapes() -> None:
    assert "\x1b" not in rendered()


def test_what_the_user_chose_is_shown_and_marked() -> None:
    text = rendered(settings={"loss.noise_offset": 0.05, "network.rank": 48})

    assert "* noise_offset" in text
    assert "* rank" in text
    assert "! rank 48 is no power of two" in text


def test_everything_shows_every_setting() -> None:
    text = rendered(everything=True)

    assert all(path.partition(".")[2] in text for path in setting_paths())


def test_what_it_takes_is_told() -> None:
    text = rendered()

    for name in ("steps", "memory", "time", "files"):
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
