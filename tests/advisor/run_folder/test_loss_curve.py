from __future__ import annotations

import pytest

from advisor.run_folder.loss_curve import smoothed


def test_the_curve_begins_at_the_first_loss() -> None:
    assert smoothed(None, 0.7) == 0.7


def test_a_new_loss_counts_a_twentieth() -> None:
    assert smoothed(1.0, 0.0) == pytest.approx(0.95)
