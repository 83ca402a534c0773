from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import wizard.processes.tag_job as module
from advisor.errors import LoraError, TrainingStopped
from advisor.run_folder.pictures.tag_request import PictureToTag, TagRequest
from advisor.shell import shell_words
from advisor.tagging.known_models import KNOWN_MODELS
from tests.support.taggers import DEMO_TAGGER
from trainer.demo.assets import HELD_OUT_FOLDER
from wizard.processes.tag_job import run_fetch, run_tagging
from wizard.show.progress import TrainingProgress


class Watching:
    """A screen that acts on what it is shown."""

    def __init__(self) -> None:
        self.seen = list[TrainingProgress]()
        self.notes = list[str]()
        self.on_tagging: Any = lambda: None

    def show(self, progress: TrainingProgress) -> None:
        self.seen.append(progress)
        if progress.phase == "tag" and progress.done:
            self.on_tagging()

    def note(self, text: str) -> None:
        self.notes.append(text)

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORACLE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def request_of(paths: list[Path]) -> TagRequest:
    pictures = tuple(PictureToTag(path=str(path)) for path in paths)
    return TagRequest(model=str(DEMO_TAGGER / "model.onnx"), pictures=pictures, device="cpu", batch=1)


def test_an_interrupted_tagging_goes_on_where_it_was(tmp_path: Path) -> None:
    paths = list[Path]()
    for index in range(300):
        paths.append(tmp_path / f"{index}.png")
        Image.open(HELD_OUT_FOLDER / "01.png").convert("RGB").point(lambda value, by=index: (value + by) % 256).save(
            paths[-1]
        )
    screen, sent = Watching(), list[int]()

    def interrupt_once() -> None:
        if not sent:
            sent.append(1)
            os.kill(os.getpid(), signal.SIGINT)

    screen.on_tagging = interrupt_once
    with pytest.raises(KeyboardInterrupt, match="no caption was changed"):
        run_tagging(request_of(paths), screen)
    done = screen.seen[-1].done

    answer = run_tagging(request_of(paths), Watching())
    assert 0 < answer.num_computed <= 300 - max(1, done - 1)
    assert len(answer.pictures) == 300


def test_a_refusal_of_the_process_is_an_error_of_the_user(tmp_path: Path) -> None:
    request = request_of([]).model_copy(update={"model": str(tmp_path / "none.onnx")})

    with pytest.raises(LoraError, match=r"none\.onnx does not exist"):
        run_tagging(request, Watching())


def test_a_process_that_is_killed_is_told_without_a_word_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    dies = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]
    monkeypatch.setattr(module, "child_command", lambda *_: dies)

    with pytest.raises(TrainingStopped, match="ended by itself: probably the machine's memory ran out"):
        run_tagging(request_of([]), Watching())


@pytest.mark.slow
def test_a_download_that_the_library_cannot_make_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))

    with pytest.raises(LoraError, match=r"cannot be downloaded .* by hand into one folder"):
        run_fetch(KNOWN_MODELS[0], Watching())


def test_without_onnxruntime_the_command_that_adds_it_here_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)

    with pytest.raises(LoraError) as refused:
        module.refuse_without_runtime()

    assert f"{shell_words([sys.executable])} -m pip install onnxruntime` adds it" in str(refused.value)


@pytest.mark.parametrize(("code", "adds"), [("0", True), ("0", False), ("1", True)])
def test_it_is_there_only_where_pip_added_it(monkeypatch: pytest.MonkeyPatch, code: str, adds: bool) -> None:
    monkeypatch.setattr(module, "install_runtime", lambda: (sys.executable, "-c", f"raise SystemExit({code})"))
    monkeypatch.setattr(module, "find_spec", lambda name: name if adds else None)

    if code == "0" and adds:
        module.add_runtime()
        return
    with pytest.raises(LoraError, match="did not add onnxruntime"):
        module.add_runtime()
