from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.trainer.runs import make_config, write_toml
from wizard.commands.measure import Measured, measure, measured_text


def test_real_steps_are_made_and_shown_beside_the_predicted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    run = tmp_path / "run"
    write_toml(run / "loracle.toml", make_config(tmp_path))

    measure(run, device="cpu", as_json=True)

    found = json.loads(capsys.readouterr().out)
    assert (found["device"], found["size"], found["batch_size"]) == ("cpu", [128, 128], 2)
    assert 1 <= found["steps"] <= 5
    assert found["measured_seconds_per_step"] > 0
    assert 0.5 < found["predicted_bytes"] / found["measured_bytes"] < 2
    assert not (run / "state").exists()
    assert not (run / "log").exists()
    assert not (run / "model").exists()


def test_both_stand_side_by_side() -> None:
    text = measured_text(Measured("cuda", (512, 512), 4, 5, 6 * 2**30, 5 * 2**30, 0.8, 0.75))

    assert text.splitlines() == [
        "5 steps on the card, 512 x 512 px (the largest), batch 4",
        "                 predicted    measured",
        "memory             6.0 GiB     5.0 GiB  by torch; the driver's own comes on top of both",
        "a step takes        0.80 s      0.75 s",
    ]
