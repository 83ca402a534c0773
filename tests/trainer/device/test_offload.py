from __future__ import annotations

from typing import Any

import pytest
import torch

from trainer.device.offload import offload_device, onloaded


class Traveller(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.ways: list[str] = []

    def to(self, *places: Any, **_: Any) -> Traveller:
        self.ways.append(str(places[0]))
        return self


@pytest.mark.parametrize(("device", "room"), [("cuda", "cpu"), ("xpu", "cpu"), ("mps", "mps"), ("cpu", "cpu")])
def test_networks_wait_in_the_machines_memory_where_a_card_has_its_own(device: str, room: str) -> None:
    assert offload_device(torch.device(device)).type == room


def test_a_network_has_its_turn_and_waits_again_whatever_happens() -> None:
    network = Traveller()

    def use() -> None:
        with onloaded((network,), torch.device("cpu")):
            raise ValueError(f"at work on {network.ways}")

    with pytest.raises(ValueError, match=r"at work on \['cpu'\]"):
        use()

    assert network.ways == ["cpu", "cpu"]
