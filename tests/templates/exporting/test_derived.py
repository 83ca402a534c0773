from __future__ import annotations

import pytest

from advisor.settings.config import NetworkConfig
from templates.exporting.derived import conv_alpha, gui_steps
from tests.support.samples import sample_config


@pytest.mark.parametrize(("given", "found"), [(0.0, 4.0), (3.0, 3.0)])
def test_the_alpha_of_convolutions_keeps_the_proportion_unless_it_is_given(given: float, found: float) -> None:
    assert conv_alpha(NetworkConfig(rank=32, alpha=16.0, conv_rank=8, conv_alpha=given)) == found


def test_steps_are_rounded_up_once_and_doubled_by_regularisation_images() -> None:
    schedule = {"batch_size": 2, "gradient_accumulation": 2, "epochs": 3}

    assert gui_steps(sample_config(schedule=schedule), 5) == 4
    assert gui_steps(sample_config(schedule=schedule, dataset={"regularization_images": "/r"}), 5) == 8
