from __future__ import annotations

from typing import Any

from templates.importing.flow import for_flow
from templates.importing.imported import Imported


def imported(settings: dict[str, Any], defaults: dict[str, Any] | None = None) -> Imported:
    return Imported("sd-scripts", "t", "", {"model.family": "anima", **settings}, (), defaults or {})


def test_what_our_training_cannot_do_is_made_otherwise_and_told() -> None:
    found = for_flow(imported({"optimizer.text_encoder_learning_rate": 1e-5, "sampling.sampler": "ddim"}))

    assert found.effective["optimizer.text_encoder_learning_rate"] == 0.0
    assert found.effective["sampling.sampler"] == "euler"
    assert {line.key for line in found.of("contradictory")} == {
        "optimizer.text_encoder_learning_rate", "sampling.sampler"
    }  # fmt: skip


def test_what_a_file_does_not_say_needs_no_line() -> None:
    found = for_flow(imported({}, {"memory.cache_text": False}))

    assert (found.effective["memory.cache_text"], found.effective["memory.text_variants"]) == (True, 0)
    assert found.lines == ()


def test_captions_that_change_are_encoded_in_several_forms() -> None:
    assert for_flow(imported({"dataset.shuffle_captions": True})).effective["memory.text_variants"] == 8
    given = imported({"dataset.tag_dropout": 0.1, "memory.text_variants": 4})
    assert for_flow(given).effective["memory.text_variants"] == 4


def test_other_families_stay_as_they_are() -> None:
    given = Imported("sd-scripts", "t", "", {"model.family": "sdxl", "sampling.sampler": "ddim"}, ())

    assert for_flow(given) is given
