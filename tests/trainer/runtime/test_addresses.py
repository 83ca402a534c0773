from __future__ import annotations

import pytest

from trainer.runtime.addresses import is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.1.1", "::1"])
def test_what_is_this_machine_alone(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["10.0.0.1", "0.0.0.0", "no-such-host.invalid"])
def test_what_others_may_reach_or_nobody(host: str) -> None:
    assert not is_loopback(host)
