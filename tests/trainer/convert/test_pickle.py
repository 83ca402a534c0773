"""Conversions that succeed, and what they need of the machine."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from advisor.checkpoints.identify import identify
from advisor.errors import HardwareError, ModelError, RunError
from tests.support.checkpoints import (
    BOTH,
    WEIGHTS,
    call,
    converted,
    foreign_class,
    legacy_checkpoint,
    refusal,
    same,
    save,
    tensors,
    zip_checkpoint,
)
from tests.support.tiny import tiny_sd1_checkpoint
from trainer.convert.pickle import convert, main, refuse_old_torch


@BOTH
def test_a_checkpoint_keeps_every_bit_and_is_recognised(tmp_path: Path, legacy: bool) -> None:
    state = load_file(tiny_sd1_checkpoint(tmp_path))
    source = save(tmp_path / "model.ckpt", {"state_dict": state, "global_step": 840000}, legacy=legacy)

    told = converted(source)

    identity = identify(tmp_path / "model.safetensors")
    assert same(load_file(tmp_path / "model.safetensors"), state)
    assert (identity.kind, identity.family, identity.trainable) == ("checkpoint", "sd1", True)
    assert told["notes"] == ["Left out, as it lies beside the weights: global_step."]


@BOTH
def test_a_flat_table_is_taken_as_it_is(tmp_path: Path, legacy: bool) -> None:
    assert same(tensors(save(tmp_path / "a.pt", WEIGHTS, legacy=legacy)), WEIGHTS)


def test_each_dtype_stays(tmp_path: Path) -> None:
    names = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool", "uint16")
    state = {name: torch.ones(3, 2).to(getattr(torch, name)) for name in names}
    state["scalar"] = torch.tensor(3.5)
    state["empty"] = torch.zeros(0, 4)

    assert same(tensors(save(tmp_path / "a.ckpt", state)), state)


def test_eight_bit_floats_stay(tmp_path: Path) -> None:
    state = {"a": torch.ones(4, 4).to(torch.float8_e4m3fn)}

    found = tensors(save(tmp_path / "a.ckpt", state))

    assert found["a"].dtype == torch.float8_e4m3fn
    assert torch.equal(found["a"].view(torch.uint8), state["a"].view(torch.uint8))


def test_shared_turned_and_repeated_tensors_are_written_in_full(tmp_path: Path) -> None:
    whole = torch.arange(24.0).reshape(4, 6)
    state = {
        "whole": whole,
        "same": whole,
        "turned": whole.T,
        "part": whole[1:3, ::2],
        "wide": whole[:, :1].expand(4, 9),
    }

    found = tensors(save(tmp_path / "a.ckpt", state))

    assert same(found, {name: tensor.contiguous() for name, tensor in state.items()})


def test_parameters_become_plain_tensors(tmp_path: Path) -> None:
    state = OrderedDict(a=torch.nn.Parameter(torch.ones(3)))

    assert same(tensors(save(tmp_path / "a.ckpt", state)), {"a": torch.ones(3)})


def test_what_is_no_weight_is_left_out_and_told(tmp_path: Path) -> None:
    optimizer = {"state": {0: {"exp_avg": torch.zeros(9)}}, "param_groups": [{"lr": 1e-4, "params": [0]}]}
    state: dict[Any, Any] = {
        **WEIGHTS,
        "note": "x",
        7: torch.ones(2),
        "__metadata__": torch.ones(1),
        "half\ud800": torch.ones(1),
    }
    source = save(tmp_path / "a.ckpt", {"state_dict": state, "optimizer_states": [optimizer], "epoch": 3})

    told = converted(source)

    assert same(load_file(tmp_path / "a.safetensors"), WEIGHTS)
    assert told["notes"] == [
        "Left out, as it lies beside the weights: epoch, optimizer_states.",
        "Left out, since they are no plain tensors: 7, __metadata__, half\\ud800, note.",
    ]


def test_the_average_of_the_unet_is_left_out_where_the_unet_is_there(tmp_path: Path) -> None:
    state = {"model.diffusion_model.a": torch.ones(2), "model_ema.diffusion_modela": torch.ones(2)}
    alone = {"model_ema.diffusion_modela": torch.ones(2)}

    told = converted(save(tmp_path / "a.ckpt", {"state_dict": state}))

    assert set(load_file(tmp_path / "a.safetensors")) == {"model.diffusion_model.a"}
    assert told["notes"][0].startswith("Left out: 1 tensor model_ema.*, a second copy of the U-Net")
    assert set(tensors(save(tmp_path / "b.ckpt", alone))) == set(alone)


@BOTH
def test_notes_of_the_training_program_are_passed_over_without_importing_it(tmp_path: Path, legacy: bool) -> None:
    module = "pytorch_lightning.callbacks.model_checkpoint"
    score = np.float64(0.5)
    with foreign_class(module, "ModelCheckpoint") as checkpoint:
        instance = checkpoint()
        instance.__dict__ = {"monitor": "val/loss", "best": torch.ones(1)}
        content = {"state_dict": WEIGHTS, "callbacks": {checkpoint: {"best_model_score": score, "kept": instance}}}
        source = save(tmp_path / "nai.ckpt", content, legacy=legacy)

    told = converted(source)

    assert same(load_file(tmp_path / "nai.safetensors"), WEIGHTS)
    assert module not in sys.modules
    assert any(f"{module}.ModelCheckpoint" in note and "numpy.dtype" in note for note in told["notes"])


def test_tables_of_the_training_program_are_passed_over(tmp_path: Path) -> None:
    from collections import defaultdict

    with foreign_class("pytorch_lightning.utilities.parsing", "AttributeDict", dict) as attributes:
        content = {"state_dict": WEIGHTS, "hyper_parameters": attributes(lr=1e-4), "seen": defaultdict(list, a=[1])}
        source = save(tmp_path / "a.ckpt", content)

    assert same(tensors(source), WEIGHTS)


def test_an_embedding_is_named_for_what_it_is(tmp_path: Path) -> None:
    new = {"string_to_token": {"*": 265}, "string_to_param": {"*": torch.ones(2, 768)}, "name": "x", "step": 1}
    assert "is an embedding" in refusal(save(tmp_path / "new.pt", new))


def test_an_old_embedding_with_a_parameter_dict_is_named_too(tmp_path: Path) -> None:
    parameters = torch.nn.ParameterDict({"*": torch.nn.Parameter(torch.ones(1, 768))})

    assert "is an embedding" in refusal(save(tmp_path / "old.pt", {"string_to_param": parameters, "name": "x"}))


def test_a_hypernetwork_is_named_for_what_it_is(tmp_path: Path) -> None:
    assert "is a hypernetwork" in refusal(save(tmp_path / "a.pt", {768: [WEIGHTS], "step": 1, "name": "x"}))


@pytest.mark.parametrize("content", [[1, 2], "text", {}, {"state_dict": {}}, {"a": 1}, torch.ones(3)])
def test_what_holds_no_weights_is_refused(tmp_path: Path, content: object) -> None:
    assert "holds" in refusal(save(tmp_path / "a.ckpt", content))


def test_a_model_of_nan_is_told(tmp_path: Path) -> None:
    state = {
        "a": torch.tensor([1.0, float("nan")]),
        "b": torch.tensor([float("inf")], dtype=torch.float16),
        "c": torch.ones(1),
    }

    notes = converted(save(tmp_path / "a.ckpt", state))["notes"]

    assert len(notes) == 1
    assert notes[0].startswith("Careful: 2 tensors hold numbers that are not finite")
    assert notes[0].count("a, b") == 1


def test_the_new_file_says_what_it_was_made_from(tmp_path: Path) -> None:
    told = converted(save(tmp_path / "model v1.ckpt", WEIGHTS))

    with safe_open(tmp_path / "model v1.safetensors", "pt") as file:
        assert file.metadata() == {
            "format": "pt",
            "converted_from": "model v1.ckpt",
            "converted_from_sha256": told["sha256_of_source"],
        }


def test_weights_begin_aligned(tmp_path: Path) -> None:
    converted(save(tmp_path / "a.ckpt", {"a": torch.ones(3, dtype=torch.uint8), "b": torch.ones(2)}))
    raw = (tmp_path / "a.safetensors").read_bytes()
    length = int.from_bytes(raw[:8], "little")

    assert length % 8 == 0
    assert json.loads(raw[8 : 8 + length])["b"]["data_offsets"] == [0, 8]


@pytest.mark.parametrize("version", ["2.9.1+cu128", "2.5.0", "1.13.1", "nonsense"])
def test_a_torch_with_known_gaps_is_refused(version: str) -> None:
    with pytest.raises(HardwareError, match="CVE-2026-24747"):
        refuse_old_torch(version)


@pytest.mark.parametrize("version", ["2.10.0", "2.13.0+cpu", "3.0.0a0"])
def test_a_mended_torch_is_taken(version: str) -> None:
    refuse_old_torch(version)


def test_an_old_torch_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", "2.9.1")

    with pytest.raises(HardwareError, match=r"torch 2\.9\.1"):
        converted(save(tmp_path / "a.ckpt", WEIGHTS))


def test_a_pickle_called_safetensors_must_be_renamed(tmp_path: Path) -> None:
    path = save(tmp_path / "a.safetensors", WEIGHTS)

    with pytest.raises(ModelError, match=r"rename it so that it ends in \.ckpt"):
        convert(path, tmp_path / "b.safetensors", lambda line: None)


def test_a_disk_without_room_is_told_before_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("trainer.convert.pickle.shutil.disk_usage", lambda path: usage)

    with pytest.raises(RunError, match="free some space"):
        converted(save(tmp_path / "a.ckpt", WEIGHTS))

    assert [path.name for path in tmp_path.iterdir()] == ["a.ckpt"]


def test_a_disk_that_becomes_full_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    source = save(tmp_path / "a.ckpt", WEIGHTS)
    monkeypatch.setattr("trainer.lora_files.write_safetensors._write", full)

    with pytest.raises(RunError, match="free some space on that disk"):
        converted(source)

    assert [path.name for path in tmp_path.iterdir()] == ["a.ckpt"]


def test_an_old_file_larger_than_the_memory_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 10}))

    assert "must be read whole" in refusal(save(tmp_path / "a.ckpt", WEIGHTS, legacy=True))


def test_an_interrupted_conversion_leaves_nothing(tmp_path: Path) -> None:
    def stop(line: Any) -> None:
        if line.get("phase") == "write":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(save(tmp_path / "a.ckpt", WEIGHTS), tmp_path / "a.safetensors", stop)

    assert [path.name for path in tmp_path.iterdir()] == ["a.ckpt"]


@pytest.mark.parametrize("make", [lambda path: path, lambda path: path.mkdir() or path], ids=["missing", "folder"])
def test_what_cannot_be_read_is_told(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    assert "cannot be read" in refusal(make(tmp_path / "a.ckpt"))


def test_the_command_talks_in_lines_of_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = save(tmp_path / "a.ckpt", WEIGHTS)

    assert main([str(source), str(tmp_path / "b.safetensors")]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert main([str(zip_checkpoint(tmp_path / "bad.ckpt", call("os", "system", "id"))), str(tmp_path / "c")]) == 2
    failed = json.loads(capsys.readouterr().out.splitlines()[-1])

    assert lines[-1]["event"] == "finished"
    assert {"event": "progress", "phase": "write", "done": 58, "total": 58} in lines
    assert failed["event"] == "failed"
    assert "os.system" in failed["message"]


MEASURE = """
import sys, threading, time
from pathlib import Path
import torch, trainer.convert.checkpoint_weights, trainer.lora_files.write_safetensors
from trainer.convert.pickle import convert

def own():
    line = next(line for line in open("/proc/self/status") if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024

most, done, before = 0, False, own()

def watch():
    global most
    while not done:
        most = max(most, own())
        time.sleep(0.002)

thread = threading.Thread(target=watch)
thread.start()
convert(Path(sys.argv[1]), Path(sys.argv[2]), lambda line: None)
done = True
thread.join()
print(most - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
def test_a_model_passes_through_without_being_held_in_memory(tmp_path: Path) -> None:
    source = save(tmp_path / "a.ckpt", {f"layer.{number}": torch.ones(4, 1024, 1024).half() for number in range(12)})

    command = [sys.executable, "-c", MEASURE, str(source), str(tmp_path / "a.safetensors")]
    used = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert source.stat().st_size > 96 * 1024**2
    assert used < 60 * 1024**2


@BOTH
def test_a_key_whose_hash_takes_for_ever_is_not_made(tmp_path: Path, legacy: bool) -> None:
    doubled = b"".join(2 * (b"h" + bytes([place])) + b"\x86q" + bytes([place + 1]) for place in range(45))
    raw = b"\x80\x02}X\x01\x00\x00\x00a\x85q\x00" + doubled + b"Ns."
    source = legacy_checkpoint(tmp_path / "a.ckpt", raw) if legacy else zip_checkpoint(tmp_path / "a.ckpt", raw)

    assert "hold one another" in refusal(source)
