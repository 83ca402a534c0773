from __future__ import annotations

import pytest
import torch
from torch import Tensor

from trainer.evaluate.shared_parts import Angle, Comparison, Nearness, SharedParts


def scene(*things: int, seed: int) -> Tensor:
    """Sixteen parts of five values, among them the named things, at places that the seed decides."""
    rng = torch.Generator().manual_seed(seed)
    parts = 0.3 * torch.randn(16, 5, generator=rng)
    places = torch.randperm(16, generator=rng)
    for place, thing in zip(places, things, strict=False):
        parts[place] = 3 * torch.eye(5)[thing]
    return parts


KIND = [scene(0, 1, 2, seed=seed) for seed in range(4)]
"""Things 0 and 1 are of the kind; thing 2 is everywhere."""
OPPOSITE = [scene(2, seed=seed) for seed in range(10, 16)]


@pytest.fixture(params=["angle", "nearness"])
def shared(request: pytest.FixtureRequest) -> SharedParts:
    comparison: Comparison = Angle.of(OPPOSITE) if request.param == "angle" else Nearness(0.5)
    found = SharedParts.of(KIND, OPPOSITE, comparison)
    assert found is not None
    return found


def test_opposite_pictures_have_nothing_of_it_on_average(shared: SharedParts) -> None:
    assert sum(map(shared.found_in, OPPOSITE)) / len(OPPOSITE) == pytest.approx(0.0, abs=1e-5)


def test_pictures_of_the_kind_have_all_of_it_by_the_others(shared: SharedParts) -> None:
    found = [shared.found_in(picture, own) for own, picture in enumerate(KIND)]

    assert sum(found) / len(found) == pytest.approx(1.0, abs=0.1)


def test_it_does_not_matter_where_the_parts_lie(shared: SharedParts) -> None:
    turned = KIND[0].flip(0)

    assert shared.found_in(turned) == pytest.approx(shared.found_in(KIND[0]), abs=1e-5)


def test_half_of_the_things_are_half_of_it(shared: SharedParts) -> None:
    none, half, both = (
        sum(shared.found_in(scene(*things, seed=seed)) for seed in range(30, 36)) / 6
        for things in ((2,), (0, 2), (0, 1, 2))
    )

    assert none < 0.2
    assert half == pytest.approx(both / 2, abs=0.15)
    assert 0.6 < both < 1.2


def test_kinds_that_do_not_differ_share_nothing() -> None:
    same = [torch.ones(4, 3)] * 3

    assert SharedParts.of(same, same, Nearness(1.0)) is None


def test_all_of_a_single_picture_is_shared() -> None:
    found = SharedParts.of(KIND[:1], OPPOSITE, Angle.of(OPPOSITE))

    assert found is not None
    assert found.found_in(KIND[0]) == pytest.approx(found.found_in(KIND[0], 0)) == pytest.approx(1.0, abs=1e-4)


def test_pictures_may_have_different_numbers_of_parts() -> None:
    kind = [KIND[0], torch.cat([KIND[1], KIND[2]])]

    found = SharedParts.of(kind, OPPOSITE, Angle.of(OPPOSITE))

    assert found is not None
    assert found.parts.shape == (48, 5)
    assert found.found_in(kind[1], 1) > 0.8
