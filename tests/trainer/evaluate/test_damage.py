from __future__ import annotations

import torch
from torch import Tensor

from trainer.evaluate.damage import UsualLooks, UsualParts, look_of
from trainer.evaluate.shared_parts import Angle


def drawing(seed: int, *, saturation: float = 1.0, noise: float = 0.0, contrast: float = 1.0) -> Tensor:
    """Flat coloured rectangles, [3, 64, 64] in 0..255."""
    rng = torch.Generator().manual_seed(seed)
    picture = torch.full((3, 64, 64), 128.0)
    for _ in range(8):
        x, y, width, height = torch.randint(4, 40, (4,), generator=rng).tolist()
        colour = 128 + contrast * 80 * (torch.rand(3, generator=rng) * 2 - 1)
        grey = colour.mean()
        picture[:, y : y + height, x : x + width] = (grey + saturation * (colour - grey))[:, None, None]
    picture = picture + noise * torch.randn(3, 64, 64, generator=rng)
    return picture.clamp(0, 255).to(torch.uint8)


BASE = [look_of(drawing(seed)) for seed in range(20)]
FLAT = [look_of(drawing(seed, saturation=3.0)) for seed in range(20, 30)]
"""A set of saturated drawings."""


def mean_excess(usual: UsualLooks, **change: float) -> float:
    looks = [(look_of(drawing(seed, **change)), look_of(drawing(seed))) for seed in range(40, 50)]
    return sum(usual.excess(*pair) for pair in looks) / len(looks)


def test_a_picture_like_the_bases_own_is_undamaged() -> None:
    usual = UsualLooks.of([BASE])

    assert all(usual.excess(look, look) == 0 for look in BASE)
    assert mean_excess(usual) == 0


def test_noise_blur_and_harsh_colours_are_damage() -> None:
    usual = UsualLooks.of([BASE])

    assert mean_excess(usual, noise=40) > 0.4
    assert mean_excess(usual, saturation=4) > 0.2
    assert mean_excess(usual, contrast=0.05) > 0.5
    assert mean_excess(usual, noise=80) > mean_excess(usual, noise=20)


def test_what_the_set_looks_like_is_no_damage() -> None:
    harsh = mean_excess(UsualLooks.of([BASE]), saturation=3)
    of_such_a_set = mean_excess(UsualLooks.of([BASE, FLAT]), saturation=3)

    assert harsh > 0.15
    assert of_such_a_set < harsh / 5


def test_a_picture_of_parts_that_nobody_drew_is_odd() -> None:
    usual = [_parts(seed, axis=seed % 3) for seed in range(9)]
    mixed = torch.cat([usual[0][:10], usual[4][10:]])

    found = UsualParts.of([usual[:4], usual[4:]], Angle.of(usual))

    assert found is not None
    assert found.excess(mixed) == 0
    assert found.excess(_parts(20, axis=5)) > 0.3


def _parts(seed: int, axis: int) -> Tensor:
    """Twenty parts that differ little, along one axis of eight."""
    rng = torch.Generator().manual_seed(seed)
    return 4 * torch.eye(8)[axis] + 0.5 * torch.randn(20, 8, generator=rng)


def test_two_pictures_do_not_say_what_is_usual() -> None:
    assert UsualParts.of([[torch.ones(2, 3)] * 2], Angle.of([torch.ones(2, 3)])) is None


def test_a_set_whose_pictures_are_all_alike_makes_the_bases_own_no_odder() -> None:
    base = [_parts(seed, axis=seed) for seed in range(6)]
    alike = [_parts(30, axis=6) + 0.01 * seed for seed in range(20)]
    further = _parts(40, axis=2)

    alone, beside = (UsualParts.of(kinds, Angle.of(base)) for kinds in ([base], [base, alike]))

    assert alone is not None
    assert beside is not None
    assert beside.excess(further) <= alone.excess(further) + 1e-6
