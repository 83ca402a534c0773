from __future__ import annotations

import pytest

from advisor.settings.config import NetworkConfig
from templates.exporting.derived import Length, conv_alpha
from tests.support.samples import sample_config


@pytest.mark.parametrize(("given", "found"), [(0.0, 4.0), (3.0, 3.0)])
def test_the_alpha_of_convolutions_keeps_the_proportion_unless_it_is_given(given: float, found: float) -> None:
    assert conv_alpha(NetworkConfig(rank=32, alpha=16.0, conv_rank=8, conv_alpha=given)) == found


def test_an_epochs_steps_are_whole_in_every_epoch_and_steps_of_ones_own_may_end_it() -> None:
    schedule = {"batch_size": 2, "gradient_accumulation": 2, "epochs": 3}
    sizes = {(512, 512): 5, (448, 576): 1}

    assert Length.of(sample_config(schedule=schedule), sizes) == Length(steps_per_epoch=2, steps=6)
    ended = Length.of(sample_config(schedule=schedule | {"max_steps": 3}), sizes)
    assert ended == Length(steps_per_epoch=2, steps=3, ends_early=True)
    assert ended.num_epochs == 2
    assert not Length.of(sample_config(validation={"share": 0.1}), sizes).is_exact
