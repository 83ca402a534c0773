from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from advisor.families.stable_diffusion import StableDiffusionStructure
from tests.support.runs import make_config
from tests.support.tiny import TINY_SD1, TINY_SD2, TINY_SDXL, tiny_base
from tests.trainer.training.test_step import OneDevice
from trainer.adapters.network import Network
from trainer.evaluate import features
from trainer.evaluate.features import FeatureReader
from trainer.models.families.sdxl import Sdxl
from trainer.models.families.stable_diffusion import Sd1, Sd2
from trainer.models.families.unet_family import UNetFamily

FAMILIES: tuple[tuple[UNetFamily, StableDiffusionStructure], ...] = (
    (Sd1(), TINY_SD1),
    (Sd2(), TINY_SD2),
    (Sdxl(), TINY_SDXL),
)


def noise_picture(seed: int, height: int = 128, width: int = 128) -> Tensor:
    return torch.randint(0, 256, (3, height, width), generator=torch.Generator().manual_seed(seed)).to(torch.uint8)


@pytest.mark.parametrize(("family", "structure"), FAMILIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_family_has_features(
    tmp_path: Path, family: UNetFamily, structure: StableDiffusionStructure, dtype: torch.dtype
) -> None:
    base = tiny_base(family, structure, dtype=dtype)
    reader = FeatureReader(base, make_config(tmp_path))

    square, wide = reader.parts(noise_picture(1)), reader.parts(noise_picture(1, 64, 128))

    assert square.dtype == torch.float32
    assert (square.shape[0], wide.shape[0]) == (64, 128)
    assert bool(torch.isfinite(square).all())
    assert float(square.std()) > 0


def test_the_same_picture_has_the_same_features_and_another_has_others(tmp_path: Path) -> None:
    reader = FeatureReader(tiny_base(Sd1(), TINY_SD1), make_config(tmp_path))

    first, again, other = (reader.parts(noise_picture(seed)) for seed in (1, 1, 2))

    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_the_base_model_is_left_as_it_was(tmp_path: Path) -> None:
    base = tiny_base(Sd1(), TINY_SD1)
    before = {name: tensor.clone() for name, tensor in base.denoiser.state_dict().items()}

    FeatureReader(base, make_config(tmp_path)).parts(noise_picture(1))

    assert all(torch.equal(tensor, before[name]) for name, tensor in base.denoiser.state_dict().items())
    assert not base.family.feature_block(base)._forward_hooks


def test_an_adapter_that_is_off_changes_no_features(tmp_path: Path) -> None:
    base, config = tiny_base(Sd1(), TINY_SD1), make_config(tmp_path)
    alone = FeatureReader(base, config).parts(noise_picture(1))
    network = Network.attach(base, config.network, text_encoder=True)
    network.multiplier = 0

    assert torch.equal(FeatureReader(base, config).parts(noise_picture(1)), alone)


@pytest.mark.parametrize(("family", "structure"), FAMILIES)
def test_the_denoiser_gets_everything_on_its_own_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: UNetFamily, structure: StableDiffusionStructure
) -> None:
    meta, heard = torch.device("meta"), list[Tensor]()
    here, there = (
        tiny_base(family, structure),
        family.build(structure, dtype=torch.bfloat16, vae_dtype=torch.float32, device=torch.device("meta")),
    )
    base = replace(there, vae=here.vae, tokenizers=here.tokenizers)
    predict = type(base.family).predict

    def alone(*given: Any) -> Tensor:
        with OneDevice(meta):
            heard.append(predict(*given))
        return heard[-1]

    monkeypatch.setattr(type(base.family), "predict", alone)
    monkeypatch.setattr(features, "moved", lambda *_: nullcontext())  # nothing comes back from meta

    with pytest.raises(NotImplementedError, match="meta"):
        FeatureReader(base, make_config(tmp_path)).parts(noise_picture(1))

    assert (heard[0].device.type, heard[0].dtype) == ("meta", torch.bfloat16)
