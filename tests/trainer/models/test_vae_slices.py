"""Pictures in slices, which the VAE encodes and decodes one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from tests.support.tiny import tiny_sd1
from tests.support.tiny_anima import tiny_anima
from trainer.models.families.family import BaseModel
from trainer.models.vae_slices import in_slices

WHOLE = torch.rand(1, 3, 512, 320, generator=torch.Generator().manual_seed(4))


def halved(pixels: Tensor) -> Tensor:
    return avg_pool2d(pixels, 8)


def doubled(pixels: Tensor) -> Tensor:
    return interpolate(pixels, scale_factor=8)


@pytest.mark.parametrize("slices", [2, 3, 5])
@pytest.mark.parametrize("whole", [WHOLE, WHOLE.mT], ids=["tall", "wide"])
def test_what_looks_at_each_place_alone_gives_the_same_in_slices(whole: Tensor, slices: int) -> None:
    latents = halved(whole)

    assert torch.allclose(in_slices(halved, whole, slices, pixel=1, unit=8), latents, atol=1e-6)
    assert torch.allclose(in_slices(doubled, latents, slices, pixel=8, unit=1), doubled(latents), atol=1e-6)


def test_one_slice_after_the_other_fades_into_the_next() -> None:
    seen = list[int]()

    def numbered(pixels: Tensor) -> Tensor:
        seen.append(pixels.shape[-2])
        return torch.full_like(pixels, len(seen))

    found = in_slices(numbered, WHOLE, 3, pixel=1, unit=8)[0, 0, :, 0]

    assert seen == [256, 256, 256]
    assert found[[0, 256, -1]].tolist() == pytest.approx([1, 2, 3], abs=0.01)
    assert bool((found.diff() >= 0).all())
    assert found.diff().max() < 0.02


@pytest.mark.parametrize("make", [tiny_sd1, tiny_anima])
def test_vaes_make_nearly_the_same_of_slices(make: Callable[[], BaseModel]) -> None:
    whole = make()
    sliced = replace(whole, encode_slices=2, decode_slices=3)
    images = WHOLE[..., :192] * 2 - 1

    latents, in_two = (one.family.encode_images(one, images, None) for one in (whole, sliced))
    drawn, in_three = (one.family.decode_latents(one, latents) for one in (whole, sliced))

    for plain, other in ((latents, in_two), (drawn, in_three)):
        assert other.shape == plain.shape
        assert not torch.equal(other, plain)
        assert (other - plain).norm() < 0.25 * plain.norm()


def test_a_small_picture_stays_whole() -> None:
    whole = tiny_sd1()
    sliced, images = replace(whole, encode_slices=4), WHOLE[..., :96, :64] * 2 - 1

    assert torch.equal(*(one.family.encode_images(one, images, None) for one in (whole, sliced)))
