"""Files of our own, as their planned tensors' shapes alone tell them."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.checkpoints.identify import identify
from advisor.estimate.disk import lora_tensors
from advisor.families import family
from advisor.settings.config import AdapterKind
from tests.support.factories import make_plan_config
from tests.support.headers import write_model


@pytest.mark.parametrize("kind", ["lora", "locon", "dora", "loha", "lokr"])
@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl"])
def test_kind_rank_and_family_are_told(name: str, kind: AdapterKind, tmp_path: Path) -> None:
    conv = 0 if kind == "lora" else 4
    config = make_plan_config(
        family=name, settings={"network.kind": kind, "network.rank": 8, "network.conv_rank": conv, "network.alpha": 4}
    )
    structure = family(name).standard
    assert structure is not None

    found = identify(write_model(tmp_path / "lora.safetensors", dict(lora_tensors(config, structure))))

    assert (found.kind, found.adapter, found.family, found.rank) == ("lora", kind, name, 8)
