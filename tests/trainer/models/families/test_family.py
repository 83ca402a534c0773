from __future__ import annotations

import torch

from trainer.models.families.family import Conditioning


def of(length: int) -> Conditioning:
    return Conditioning(
        {"states": torch.ones(1, length, 3), "ids": torch.ones(1, length).long(), "pooled": torch.ones(1)}
    )


def test_shorter_captions_of_a_batch_are_filled_up_with_zeros() -> None:
    joined = Conditioning.joined([of(2), of(4)])

    assert joined["states"].sum(dim=2).tolist() == [[3, 3, 0, 0], [3, 3, 3, 3]]
    assert joined["ids"].tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert joined["ids"].dtype == torch.int64
    assert joined["pooled"].tolist() == [1, 1]
    assert joined.count == 2


def test_a_part_has_the_same_tensors_of_fewer_captions() -> None:
    part = Conditioning.joined([of(2), of(4)]).part(slice(1, 2))

    assert {name: tuple(one.shape) for name, one in part.tensors.items()} == {
        "states": (1, 4, 3), "ids": (1, 4), "pooled": (1,),
    }  # fmt: skip
