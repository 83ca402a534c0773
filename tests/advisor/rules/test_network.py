from __future__ import annotations

import pytest

from tests.support.factories import make_plan_config, make_plan_for


@pytest.mark.parametrize(
    ("family", "advice", "ranks"),
    [
        ("sd1", "tutorial", (32, 64, 128)),
        ("sd1", "current", (16, 16, 16)),
        ("sd2", "tutorial", (32, 64, 128)),
        ("sd2", "current", (32, 64, 128)),
        ("sdxl", "tutorial", (16, 32, 32)),
        ("sdxl", "current", (16, 32, 32)),
    ],
)
def test_ranks_by_pictures(family: str, advice: str, ranks: tuple[int, ...]) -> None:
    configs = [make_plan_config(family=family, advice=advice, num_images=number) for number in (30, 50, 100)]

    assert tuple(config.network.rank for config in configs) == ranks
    assert all(config.network.alpha == config.network.rank / 2 for config in configs)


def test_the_reason_names_the_pictures() -> None:
    decision = make_plan_for(num_images=30).by_path["network.rank"]

    assert decision.reason == "30 pictures: 32 holds a face and a costume"
    assert decision.source.title.startswith("SD Character LoRA Training Tutorial")


def test_where_the_field_does_otherwise_the_reason_says_so() -> None:
    assert "the tutorial" in make_plan_for(advice="current").by_path["network.rank"].reason


@pytest.mark.parametrize(("family", "ranks"), [("sd1", (16, 32, 64)), ("sdxl", (16, 16, 16))])
def test_a_character_that_stays_flexible_gets_a_step_less_of_rank(family: str, ranks: tuple[int, ...]) -> None:
    plans = [make_plan_for(family=family, goal="flexible", num_images=number) for number in (30, 50, 100)]

    assert tuple(plan.config.network.rank for plan in plans) == ranks
    assert plans[0].by_path["run.goal"].origin == "answer"
    assert "less to stay flexible" in plans[-1].by_path["network.rank"].source.says or family == "sdxl"


def test_a_style_gets_convolutions_and_words_of_its_own() -> None:
    plan = make_plan_for(subject="style", num_images=200)
    network = plan.config.network

    assert (network.kind, network.rank, network.alpha, network.conv_rank) == ("locon", 16, 8, 8)
    assert "LoCon" in plan.by_path["network.kind"].source.says
    assert "costume" not in plan.by_path["network.rank"].reason
    assert "lines, colours and shading" in plan.by_path["network.rank"].reason


def test_a_chosen_locon_gets_a_convolution_rank() -> None:
    config = make_plan_config(settings={"network.kind": "locon"})

    assert (config.network.conv_rank, config.network.conv_alpha) == (16, 8.0)


def test_a_plain_lora_has_no_convolutions() -> None:
    config = make_plan_config()

    assert (config.network.conv_rank, config.network.conv_alpha) == (0, 0.0)
