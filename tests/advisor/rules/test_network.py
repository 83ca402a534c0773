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
        ("sdxl", "tutorial", (16, 32, 64)),
        ("sdxl", "current", (16, 32, 64)),
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


def test_a_chosen_locon_gets_a_convolution_rank() -> None:
    config = make_plan_config(settings={"network.kind": "locon"})

    assert (config.network.conv_rank, config.network.conv_alpha) == (16, 8.0)


def test_a_plain_lora_has_no_convolutions() -> None:
    config = make_plan_config()

    assert (config.network.conv_rank, config.network.conv_alpha) == (0, 0.0)
