from __future__ import annotations

from pathlib import Path

import pytest

from advisor.errors import ConfigErrors
from tests.support.runs import make_config
from trainer.training.prepare import check_supported


def test_all_that_is_not_supported_is_refused_in_one_go(material: Path) -> None:
    config = make_config(
        material, network__kind="loha", network__dropout=0.1, loss__min_timestep=500, loss__max_timestep=500
    )

    with pytest.raises(ConfigErrors) as refused:
        check_supported(config)

    assert [str(error) for error in refused.value.errors] == [
        "loss.min_timestep is 500: must be below loss.max_timestep, which is 500",
        "network.dropout is 0.1: loha has network.rank_dropout and network.module_dropout only: 0",
    ]
