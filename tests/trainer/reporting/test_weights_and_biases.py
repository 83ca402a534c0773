"""What is sent to Weights & Biases, by a stand-in for its package that remembers it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from advisor.run_folder.events import Finished, SampleDrawn, Started, StepDone, Validated
from advisor.run_folder.layout import RunFolder
from tests.support.pictures import draw_picture
from tests.support.runs import events_of, make_config, run_training, write_toml
from trainer.__main__ import main
from trainer.reporting.weights_and_biases import SURROUNDINGS, WeightsAndBiases, sent_settings
from trainer.runtime.events import Events

STARTED = Started(config_hash="0", resumed_from=None)
RESUMED = Started(config_hash="0", resumed_from=3)


def step_done(step: int, loss: float) -> StepDone:
    return StepDone(step=step, loss=loss, unet_learning_rate=1e-4, gradient_norm=0.5, seconds=0.1, memory_bytes=1000)


class Wandb:
    """The part of the package that is used."""

    def __init__(self, refuse: Callable[[dict[str, Any]], None] = lambda given: None) -> None:
        self.begun = list[dict[str, Any]]()
        self.logged = list[dict[str, Any]]()
        self.ended = list[int]()
        self.taken = set[str]()
        self.refuse = refuse
        self.finish: Callable[[], None] = lambda: None

    def init(self, **given: Any) -> Any:
        assert given["id"] not in self.taken, "as wandb says of a run that is not torn down"
        self.taken.add(given["id"])
        self.refuse(given)
        self.begun.append({**given, "is_terminal": sys.stdin.isatty()})
        return SimpleNamespace(log=self.logged.append, finish=self._finish, define_metric=lambda *a, **k: None)

    def teardown(self) -> None:
        self.taken.clear()

    def Settings(self, **given: Any) -> dict[str, Any]:  # noqa: N802
        return given

    def Image(self, path: str, caption: str) -> tuple[str, str]:  # noqa: N802
        return Path(path).name, caption

    def _finish(self, exit_code: int) -> None:
        self.ended.append(exit_code)
        self.finish()


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Wandb:
    made = Wandb()
    monkeypatch.setitem(sys.modules, "wandb", made)
    return made


def board(run: Path, material: Path, told: list[tuple[str, str]], **more: Any) -> WeightsAndBiases:
    config = make_config(material, run__wandb_project="mira")
    return WeightsAndBiases(run, config, lambda code, message: told.append((code, message)), **more)


def offline_only(given: dict[str, Any]) -> None:
    if given.get("mode") != "offline":
        raise ConnectionError("no such host\nand a long story")


def never(given: dict[str, Any]) -> None:
    raise PermissionError("disk is read-only")


def test_curves_and_samples_are_sent_at_their_step(wandb: Wandb, material: Path, tmp_path: Path) -> None:
    draw_picture(tmp_path / "a.png", (64, 32))
    told = list[tuple[str, str]]()
    listener = board(tmp_path, material, told)

    for event in (
        STARTED, step_done(1, 1.0), step_done(2, 2.0), Validated(step=2, epoch=1, loss=0.25),
        SampleDrawn(path="a.png", prompt="(tok:1.2), a?", epoch=1), Finished(),
    ):  # fmt: skip
        listener(event)
    listener.close()

    rates = {"learning_rate/unet": 1e-4, "gradient_norm": 0.5, "seconds_per_step": 0.1, "memory_bytes": 1000}
    assert wandb.logged == [
        {"step": 1, "loss/step": 1.0, "loss/smoothed": 1.0, **rates},
        {"step": 2, "loss/step": 2.0, "loss/smoothed": pytest.approx(1.05), **rates},
        {"step": 2, "loss/validation": 0.25},
        {"step": 2, "samples/(tok 1.2), a ": ("a.png", "(tok:1.2), a?")},
    ]
    assert (wandb.ended, told) == ([0], [])


def test_project_and_name_are_the_configured_ones_and_nobody_is_asked(
    wandb: Wandb, material: Path, tmp_path: Path
) -> None:
    board(tmp_path, material, [])(STARTED)

    (begun,) = wandb.begun
    assert (begun["project"], begun["name"], begun["resume"], begun["is_terminal"]) == ("mira", "tok", "allow", False)
    assert begun["settings"]["console"] == "off"
    assert Path(begun["dir"]) == tmp_path / "log"


def test_a_run_that_only_has_its_name_there_has_not_trained(wandb: Wandb, material: Path, tmp_path: Path) -> None:
    board(tmp_path, material, [])(STARTED)

    assert RunFolder(tmp_path).wandb_id.exists()
    assert not RunFolder(tmp_path).has_trained()


def test_wandb_is_told_to_gather_no_command_line_and_no_paths(
    wandb: Wandb, material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SURROUNDINGS:
        monkeypatch.delenv(name, raising=False)
    seen = dict[str, str]()
    wandb.refuse = lambda given: seen.update(os.environ)

    board(tmp_path, material, [])(STARTED)

    assert (seen["WANDB__DISABLE_META"], seen["WANDB_PROGRAM"]) == ("true", "loracle")


def test_no_folder_of_this_machine_is_sent(material: Path) -> None:
    config = make_config(
        material,
        network__start_from="/home/mira/loras/first.safetensors",
        dataset__regularization_images="/home/mira/r",
        dataset__folders=({"path": "/home/mira/hats", "repeats": 2}, {"path": "near", "repeats": 1}),
        dataset__only_folders=True,
        dataset__regularization_folders=({"path": "../../mira/class", "repeats": 1},),
    )

    sent = sent_settings(config)

    assert (sent["model.path"], sent["dataset.images"]) == ("tiny-sd1.safetensors", "pictures")
    assert (sent["network.start_from"], sent["dataset.regularization_images"]) == ("first.safetensors", "r")
    assert [one["path"] for one in sent["dataset.folders"]] == ["hats", "near"]
    assert [one["path"] for one in sent["dataset.regularization_folders"]] == ["class"]
    assert sent["network.rank"] == 4
    assert "mira" not in json.dumps(sent)
    assert str(material) not in json.dumps(sent)


def test_a_resumed_training_goes_on_with_its_run_and_a_new_one_does_not(
    wandb: Wandb, material: Path, tmp_path: Path
) -> None:
    for event in (STARTED, RESUMED, RESUMED, STARTED):
        board(tmp_path, material, [])(event)
        wandb.taken.clear()

    first, again, third, anew = (begun["id"] for begun in wandb.begun)
    assert first == again == third != anew
    assert json.loads(RunFolder(tmp_path).wandb_id.read_text(encoding="utf-8")) == {"id": anew}


@pytest.mark.parametrize("content", ["", "[]", '{"id": 7}', '{"id": "../../x"}'])
def test_a_damaged_note_of_the_run_gives_a_new_one(wandb: Wandb, material: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "log").mkdir()
    RunFolder(tmp_path).wandb_id.write_text(content, encoding="utf-8")

    board(tmp_path, material, [])(RESUMED)

    assert len(wandb.begun[0]["id"]) == 8
    kept = tmp_path / "log" / "wandb.json.bak"
    assert (kept.read_text(encoding="utf-8") if content else "") == content


def test_without_network_or_key_it_is_kept_here_with_one_warning(wandb: Wandb, material: Path, tmp_path: Path) -> None:
    wandb.refuse = offline_only
    told = list[tuple[str, str]]()
    listener = board(tmp_path, material, told)

    listener(STARTED)
    listener(step_done(1, 1.0))

    ((code, message),) = told
    assert (code, wandb.begun[0]["mode"], len(wandb.logged)) == ("wandb_offline", "offline", 1)
    assert "no such host" in message
    assert "long story" not in message
    assert "`wandb sync`" in message


@pytest.mark.parametrize("missing", [True, False])
def test_a_package_that_is_missing_or_refuses_is_one_warning(
    wandb: Wandb, material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: bool
) -> None:
    if missing:
        monkeypatch.setitem(sys.modules, "wandb", None)
    wandb.refuse = never
    told = list[tuple[str, str]]()
    listener = board(tmp_path, material, told)

    for event in (STARTED, step_done(1, 1.0), Finished()):
        listener(event)
    listener.close()

    assert [code for code, _ in told] == ["no_wandb"]
    assert ("pip install -U wandb" in told[0][1]) == missing
    assert wandb.logged == []


@pytest.mark.parametrize("way", ["error", "hangs"])
def test_an_end_that_fails_or_takes_for_ever_is_one_warning(
    wandb: Wandb, material: Path, tmp_path: Path, way: str
) -> None:
    free = Event()

    def finish() -> None:
        if way == "error":
            raise OSError("connection reset")
        free.wait()

    wandb.finish = finish
    told = list[tuple[str, str]]()
    listener = board(tmp_path, material, told, finish_seconds=0.05)
    listener(STARTED)

    listener.close()
    free.set()

    assert [code for code, _ in told] == ["wandb_unfinished"]
    assert ("connection reset" in told[0][1]) == (way == "error")


def test_a_log_that_fails_ends_the_sending_with_one_warning(wandb: Wandb, material: Path, tmp_path: Path) -> None:
    with Events(tmp_path) as events:
        listener = board(tmp_path, material, [])
        events.listen(listener)
        events.send(STARTED)
        listener._sink.log = lambda values: 1 / 0
        for step in (1, 2):
            events.send(step_done(step, 1.0))

    assert [event["code"] for event in events_of(tmp_path, "warning")] == ["listener_failed"]


def test_a_whole_training_is_sent_and_its_weights_are_the_same(wandb: Wandb, material: Path, tmp_path: Path) -> None:
    config = make_config(material, run__wandb_project="mira", schedule__max_steps=2)
    write_toml(tmp_path / "sent" / "loracle.toml", config)

    assert main([str(tmp_path / "sent"), "--threads", "1"]) == 0
    run_training(tmp_path / "plain", make_config(material, schedule__max_steps=2))

    steps = [event["step"] for event in events_of(tmp_path / "sent", "step")]
    assert [values["step"] for values in wandb.logged] == steps == [1, 2]
    assert wandb.ended == [0]
    one, other = ((tmp_path / run / "model" / "tok.safetensors").read_bytes()[-5000:] for run in ("sent", "plain"))
    assert one == other


def test_a_training_that_fails_is_sent_as_failed(wandb: Wandb, material: Path, tmp_path: Path) -> None:
    (material / "none").mkdir(exist_ok=True)
    config = make_config(material, run__wandb_project="mira", dataset__images=str(material / "none"))
    write_toml(tmp_path / "loracle.toml", config)

    assert main([str(tmp_path)]) == 2

    assert wandb.ended == [1]


def test_without_a_project_nothing_is_sent(wandb: Wandb, material: Path, tmp_path: Path) -> None:
    write_toml(tmp_path / "loracle.toml", make_config(material, schedule__max_steps=1))

    assert main([str(tmp_path), "--threads", "1"]) == 0

    assert wandb.begun == []
    assert not RunFolder(tmp_path).wandb_id.exists()
