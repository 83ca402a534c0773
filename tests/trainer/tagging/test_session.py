from __future__ import annotations

import builtins
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import trainer.tagging.session as module
from advisor.errors import HardwareError, ModelError
from advisor.tagging.tagger_model import read_tagger
from tests.support.paths import REPOSITORY
from tests.support.taggers import SIDE_PX, colour_model, write_tagger
from trainer.runtime.interrupts import Interrupt, Interrupted
from trainer.tagging.session import CPU, OutOfRoom, Tagger, open_tagger, usable_providers, usual_threads

CUDA, DIRECTML = "CUDAExecutionProvider", "DmlExecutionProvider"


def picture(blue: int, green: int, red: int, side: int = SIDE_PX) -> Any:
    return np.full((side, side, 3), (blue, green, red), np.uint8)


def opened(folder: Path, content: bytes | None = None) -> Tagger:
    return open_tagger(read_tagger(write_tagger(folder, content)), "cpu", 1, pytest.fail)


def test_the_shares_of_each_picture_come_in_the_order_of_the_tags(tmp_path: Path) -> None:
    shares = opened(tmp_path).shares([picture(255, 0, 51), picture(0, 255, 0)])

    assert shares.tolist() == [pytest.approx([1, 0, 0.2]), pytest.approx([0, 1, 0])]


def test_channels_come_first_where_the_file_says_so(tmp_path: Path) -> None:
    tagger = opened(tmp_path, colour_model(shape=("n", 3, 16, 16)))

    assert tagger.shares([picture(255, 0, 51, 16)]).tolist() == [pytest.approx([1, 0, 0.2])]


def test_a_fixed_batch_is_filled_up(tmp_path: Path) -> None:
    tagger = opened(tmp_path, colour_model(shape=(4, SIDE_PX, SIDE_PX, 3)))

    assert tagger.shares([picture(0, 0, 255)]).tolist() == [[0, 0, 1]]


def test_half_precision_goes_in_where_the_file_says_so(tmp_path: Path) -> None:
    tagger = opened(tmp_path, colour_model(dtype="float16"))

    assert tagger.shares([picture(255, 0, 0)]).tolist() == [[1, 0, 0]]


def test_numbers_that_are_no_shares_are_another_kind_of_model(tmp_path: Path) -> None:
    tagger = opened(tmp_path, colour_model(scale=1.0))

    with pytest.raises(ModelError, match="gives numbers from 0 to 255 and no shares"):
        tagger.shares([picture(255, 0, 0)])


def test_another_number_of_tags_than_in_the_list_is_told(tmp_path: Path) -> None:
    tagger = opened(tmp_path, colour_model(outputs=None))
    shorter = Tagger(replace(tagger.model, tags=tagger.model.tags[:2]), tagger.session, CPU)

    with pytest.raises(ModelError, match=r"gives 1 x 3 numbers for 1 pictures, and selected_tags\.csv has 2"):
        shorter.shares([picture(255, 0, 0)])


class Full:
    def __init__(self, message: str) -> None:
        self.message = message

    def run(self, outputs: Sequence[str], inputs: dict[str, Any], options: Any) -> list[Any]:  # noqa: ARG002
        raise RuntimeError(self.message)

    def get_providers(self) -> list[str]:
        return [CPU]


def test_full_memory_is_told_apart_from_a_model_that_cannot_be_computed(tmp_path: Path) -> None:
    model = read_tagger(write_tagger(tmp_path))

    with pytest.raises(OutOfRoom):
        Tagger(model, Full("BFCArena: Failed to allocate memory for requested buffer"), CUDA).shares([picture(0, 0, 0)])
    with pytest.raises(ModelError, match="cannot be computed: Conv is broken"):
        Tagger(model, Full("Conv is broken"), CPU).shares([picture(0, 0, 0)])


class Endless(Full):
    """A model with a loop that does not end by itself."""

    def run(self, outputs: Sequence[str], inputs: dict[str, Any], options: Any) -> list[Any]:  # noqa: ARG002
        while not options.terminate:
            time.sleep(0.01)
        raise RuntimeError(self.message)


def test_a_model_without_an_end_is_broken_off(tmp_path: Path) -> None:
    model, interrupt = read_tagger(write_tagger(tmp_path)), Interrupt()
    threading.Timer(0.2, interrupt.ask).start()

    with pytest.raises(Interrupted):
        Tagger(model, Endless("terminated"), CPU, interrupt.check).shares([picture(0, 0, 0)])


def test_the_best_that_is_there_is_tried_first_and_the_processor_last() -> None:
    available = [CPU, "AzureExecutionProvider", DIRECTML, CUDA, "TensorrtExecutionProvider"]

    assert usable_providers(available, None) == (CUDA, DIRECTML, CPU)
    assert usable_providers(available, "cpu") == (CPU,)


class FakeRuntime:
    """onnxruntime with providers that fail, or step back for the processor."""

    __version__ = "9.9"

    def __init__(self, fails: Sequence[str] = (), steps_back: Sequence[str] = ()) -> None:
        self.fails, self.steps_back = fails, steps_back

    def SessionOptions(self) -> Any:  # noqa: N802
        return SimpleNamespace()

    def get_available_providers(self) -> list[str]:
        return [CPU, CUDA, DIRECTML]

    def InferenceSession(self, path: str, sess_options: Any, providers: list[str]) -> Any:  # noqa: N802, ARG002
        if providers[0] in self.fails:
            raise RuntimeError("no driver")
        used = [CPU] if providers[0] in self.steps_back else providers
        return SimpleNamespace(get_providers=lambda: used)


@pytest.mark.parametrize(
    ("runtime", "provider", "heard"),
    [
        (FakeRuntime(), CUDA, []),
        (FakeRuntime(fails=[CUDA]), DIRECTML, ["CUDA cannot be used (no driver): trying what else there is"]),
        (
            FakeRuntime(steps_back=[CUDA]),
            CPU,
            ["CUDA cannot be used here; tagging on the processor, which is slower"],
        ),
    ],
)
def test_a_card_that_cannot_be_used_is_told_and_something_else_computes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: FakeRuntime, provider: str, heard: list[str]
) -> None:
    monkeypatch.setattr(module, "onnx_runtime", lambda: runtime)
    told = list[str]()

    assert open_tagger(read_tagger(write_tagger(tmp_path)), None, 1, told.append).provider == provider
    assert told == heard


@pytest.mark.parametrize(
    ("given", "threads"),
    [({"OMP_NUM_THREADS": "3"}, 3), ({"OMP_NUM_THREADS": "999"}, 8), ({}, 4), ({"OMP_NUM_THREADS": "x"}, 4)],
)
def test_half_of_the_threads_are_taken_unless_the_user_says_how_many(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], threads: int
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)

    assert usual_threads(given) == threads


def test_a_model_that_onnxruntime_refuses_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "onnx_runtime", lambda: FakeRuntime(fails=[CPU]))

    with pytest.raises(ModelError, match=r"model\.onnx cannot be loaded by onnxruntime 9\.9: no driver"):
        open_tagger(read_tagger(write_tagger(tmp_path)), "cpu", 1, pytest.fail)


def test_without_onnxruntime_one_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *more: Any, **others: Any) -> Any:
        if name == "onnxruntime":
            raise ModuleNotFoundError("No module named 'onnxruntime'", name="onnxruntime")
        return real(name, *more, **others)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(HardwareError, match="-m pip install onnxruntime` adds it"):
        opened(tmp_path)


def test_onnxruntime_keeps_no_identity_of_the_device_and_reports_to_nobody(tmp_path: Path) -> None:
    # CI and the variable itself would keep it silent without us.
    variables = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    variables |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = "from trainer.tagging.session import onnx_runtime; onnx_runtime()"

    subprocess.run([sys.executable, "-c", command], check=True, cwd=REPOSITORY, env=variables)

    assert not list(tmp_path.rglob("*"))
