from __future__ import annotations

from templates.exporting.coverage import SILENT_DROPS, drop_notes
from tests.support.samples import sample_config

DROPS = {
    "loss.debiased": "it has no such weight",
    "loss.huber_c": "it has no such loss",
    **dict.fromkeys(SILENT_DROPS, "-"),
}


def test_only_what_is_not_at_its_default_is_noted() -> None:
    config = sample_config(loss={"debiased": True})

    notes = list(drop_notes(config, DROPS, "that trainer"))

    assert notes == ["loss.debiased (True) has no place in that trainer: it has no such weight."]


def test_what_another_note_covers_is_not_noted() -> None:
    config = sample_config(loss={"debiased": True, "huber_c": 0.5})

    notes = list(drop_notes(config, DROPS, "x", noted_elsewhere=("loss.debiased",)))

    assert notes == ["loss.huber_c (0.5) has no place in x: it has no such loss."]
