from __future__ import annotations

from advisor.machine.memory_snapshot import Room, others_sentence, taken_by_others

GIB = 2**30


def test_what_is_neither_free_nor_ours_any_more_was_taken_by_others() -> None:
    before, now = Room(10 * GIB, 12 * GIB, own_bytes=0), Room(1 * GIB, 12 * GIB, own_bytes=7 * GIB)

    assert taken_by_others(before, now) == 2 * GIB


def test_what_we_took_ourselves_was_not() -> None:
    assert taken_by_others(Room(10 * GIB, 12 * GIB, 0), Room(0, 12 * GIB, 10 * GIB)) == 0


def test_a_little_is_not_told_and_what_others_gave_back_neither() -> None:
    assert taken_by_others(Room(10 * GIB, 12 * GIB, 0), Room(9 * GIB, 12 * GIB, 9 * GIB // 10)) == 0
    assert taken_by_others(Room(5 * GIB, 12 * GIB, 0), Room(2 * GIB, 12 * GIB, 6 * GIB)) == 0


def test_the_sentence_names_how_much() -> None:
    assert others_sentence(3 * GIB // 2).startswith("Other programs have taken about 1.5 GiB of it since the start")
    assert others_sentence(0) == others_sentence(None) == ""


def test_more_fetched_than_there_is_counts_as_full() -> None:
    assert Room(2 * GIB, 8 * GIB, 9 * GIB).full_share == 1.125
    assert Room(2 * GIB, 8 * GIB, 1 * GIB).full_share == 0.75
    assert Room(0, 0, 0).full_share == 0
