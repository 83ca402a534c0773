from __future__ import annotations

import gc

import pytest

from trainer.runtime.importing import importing, keep_imported


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    gc.unfreeze()


def test_nothing_is_collected_within_and_what_is_there_is_kept() -> None:
    with importing():
        was_on = gc.isenabled()

    assert not was_on
    assert gc.isenabled()
    assert gc.get_freeze_count() > 1000
    gc.unfreeze()


def test_it_is_kept_once_in_a_process() -> None:
    keep_imported()
    kept = gc.get_freeze_count()
    more: list[list[int]] = [[] for _ in range(50_000)]

    keep_imported()

    assert len(more) == 50_000
    assert gc.get_freeze_count() <= kept
    gc.unfreeze()


def test_a_failed_import_turns_the_collector_on_again() -> None:
    with pytest.raises(ImportError), importing():
        raise ImportError

    assert gc.isenabled()
    gc.unfreeze()
