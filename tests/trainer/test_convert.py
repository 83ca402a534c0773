from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file

from advisor.errors import HardwareError, LoraError, ModelError, RunError
from advisor.identify import identify
from tests.tiny import tiny_sd1_checkpoint
from tests.trainer.checkpoints import (
    WEIGHTS,
    Calls,
    call,
    foreign_class,
    legacy_checkpoint,
    same,
    save,
    zip_checkpoint,
)
from trainer.convert import convert, main, refuse_old_torch
from trainer.pickle_names import LEFT_OUT, PLAIN_TABLES
from trainer.pickle_names import WEIGHTS as WEIGHT_NAMES

BOTH = pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])


def converted(source: Path) -> dict[str, Any]:
    return convert(source, source.with_suffix(".safetensors"), lambda line: None)


def tensors(source: Path) -> dict[str, torch.Tensor]:
    converted(source)
    return dict(load_file(source.with_suffix(".safetensors")))


def refusal(source: Path) -> str:
    with pytest.raises(ModelError) as error:
        converted(source)
    assert not source.with_suffix(".safetensors").exists()
    assert [path.suffix for path in source.parent.iterdir() if path.suffix == ".part"] == []
    return str(error.value)


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
    state = {**WEIGHTS, "note": "x", 7: torch.ones(2), "__metadata__": torch.ones(1), "half\ud800": torch.ones(1)}
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


ATTACKS = [
    ("os", "system", "os.system"),
    ("posix", "system", "posix.system"),
    ("nt", "system", "nt.system"),
    ("__builtin__", "eval", "builtins.eval"),
    ("builtins", "exec", "builtins.exec"),
    ("subprocess", "check_output", "subprocess.check_output"),
    ("torch.hub", "load", "torch.hub.load"),
    ("torch.serialization", "load", "torch.serialization.load"),
    ("torch", "load", "torch.load"),
    ("numpy.testing._private.utils", "runstring", "numpy.testing._private.utils.runstring"),
    ("runpy", "run_path", "runpy.run_path"),
    ("webbrowser", "open", "webbrowser.open"),
    ("importlib", "import_module", "importlib.import_module"),
]


@pytest.mark.parametrize("layout", ["zip", "legacy", "bare"])
@pytest.mark.parametrize(("module", "name", "told"), ATTACKS)
def test_a_call_is_refused_by_name_and_not_carried_out(
    tmp_path: Path, module: str, name: str, told: str, layout: str
) -> None:
    canary = tmp_path / "canary"
    raw = call(module, name, f"touch {canary}")
    path = tmp_path / "a.ckpt"
    if layout == "bare":
        path.write_bytes(raw)
    else:
        (zip_checkpoint if layout == "zip" else legacy_checkpoint)(path, raw)

    message = refusal(path)

    assert f"names {told}, which can run programs" in message
    assert "made to do harm" in message
    assert "Nothing in it was run" in message
    assert not canary.exists()


@BOTH
@pytest.mark.parametrize("where", ["deep", "key", "beside"])
def test_a_call_deep_within_genuine_weights_is_refused(tmp_path: Path, where: str, legacy: bool) -> None:
    canary = tmp_path / "canary"
    trap = Calls(os.system, f"echo > {canary}")
    content = {
        "deep": {"state_dict": {**WEIGHTS, "c": [{"x": (1, [trap])}]}},
        "key": {"state_dict": WEIGHTS, trap: 1},
        "beside": {"state_dict": WEIGHTS, "callbacks": trap},
    }[where]

    message = refusal(save(tmp_path / "a.ckpt", content, legacy=legacy))

    assert f"{os.system.__module__}.system" in message
    assert not canary.exists()


@pytest.mark.parametrize("protocol", [0, 1, 3, 4, 5])
def test_names_are_found_in_every_protocol(tmp_path: Path, protocol: int) -> None:
    canary = tmp_path / "canary"
    raw = pickle.dumps({"a": 1, "b": Calls(os.system, f"echo > {canary}")}, protocol=protocol)

    message = refusal(zip_checkpoint(tmp_path / "a.ckpt", raw))

    assert f"{os.system.__module__}.system" in message
    assert not canary.exists()


def test_a_name_taken_from_the_memo_is_refused(tmp_path: Path) -> None:
    raw = b"\x80\x04\x8c\x06system\x94\x8c\x02os\x940h\x01h\x00\x93\x8c\x02id\x85R."

    assert "os.system" in refusal(zip_checkpoint(tmp_path / "a.ckpt", raw))


def test_a_name_that_it_builds_is_refused(tmp_path: Path) -> None:
    assert "a name that it hides" in refusal(zip_checkpoint(tmp_path / "a.ckpt", b"\x80\x04\x93."))


def test_instances_and_extensions_are_refused(tmp_path: Path) -> None:
    assert "os.system" in refusal(zip_checkpoint(tmp_path / "a.ckpt", b"(S'id'\nios\nsystem\n."))
    assert "EXT1" in refusal(zip_checkpoint(tmp_path / "b.ckpt", b"\x80\x02\x82\x01."))


def test_a_call_in_a_later_pickle_of_the_old_layout_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.ckpt", WEIGHTS, legacy=True)
    raw = path.read_bytes()
    start = raw.find(b"\x80\x02]", 100)
    assert start > 0
    path.write_bytes(raw[:start] + call("posix", "system", "id"))

    assert "posix.system" in refusal(path)


def test_a_whole_model_is_refused_by_name_without_blaming_it(tmp_path: Path) -> None:
    with foreign_class("studio.models", "Unet") as unet:
        source = save(tmp_path / "a.ckpt", {"model": unet(), **WEIGHTS})

    message = refusal(source)

    assert "studio.models.Unet" in message
    assert "harm" not in message


def test_a_name_cannot_steer_the_terminal(tmp_path: Path) -> None:
    message = refusal(zip_checkpoint(tmp_path / "a.ckpt", call("x\x1b[2J", "y")))

    assert "x\\x1b[2J.y" in message


def test_another_protocol_is_refused_by_its_instructions(tmp_path: Path) -> None:
    assert "MEMOIZE" in refusal(save(tmp_path / "a.ckpt", WEIGHTS["a.weight"].tolist(), protocol=4))


def test_no_allowed_name_is_called_hostile() -> None:
    from trainer.pickle_names import is_hostile

    assert [name for name in WEIGHT_NAMES | LEFT_OUT | PLAIN_TABLES if is_hostile(name)] == []


def parts(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}


def test_an_archive_packed_anew_is_refused(tmp_path: Path) -> None:
    members = parts(save(tmp_path / "good.ckpt", WEIGHTS))
    raw = members.pop("data.pkl")

    path = zip_checkpoint(tmp_path / "a.ckpt", raw, members, compression=zipfile.ZIP_DEFLATED)

    assert "was packed anew" in refusal(path)


def test_an_archive_of_zeros_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    path = zip_checkpoint(
        tmp_path / "a.ckpt", b"\x80\x02}.", {"data/0": bytes(50_000_000)}, compression=zipfile.ZIP_DEFLATED
    )

    assert path.stat().st_size < 100_000
    assert "compressed" in refusal(path)


def test_parts_that_lie_about_their_size_are_refused(tmp_path: Path) -> None:
    path = zip_checkpoint(tmp_path / "a.ckpt", b"\x80\x02}.", {"data/0": bytes(64)})
    raw = bytearray(path.read_bytes())
    entry = raw.rindex(b"PK\x01\x02")
    raw[entry + 20 : entry + 28] = (2**31).to_bytes(4, "little") * 2
    path.write_bytes(raw)

    assert "its parts overlap" in refusal(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"data.pkl": b"\x80\x02}."}, "2 pickles"),
        ({"x/data.pkl": b"\x80\x02}."}, "2 pickles"),
        ({"constants.pkl": b"\x80\x02}."}, "TorchScript"),
    ],
)
def test_an_archive_with_a_second_pickle_is_refused(tmp_path: Path, more: dict[str, bytes], told: str) -> None:
    assert told in refusal(zip_checkpoint(tmp_path / "a.ckpt", b"\x80\x02}.", more))


def test_another_zip_archive_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.ckpt", "w") as archive:
        archive.writestr("model.txt", "x")

    assert "0 pickles" in refusal(tmp_path / "a.ckpt")


def test_a_pickle_larger_than_any_genuine_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.pickle_scan.MOST_PICKLE_BYTES", 100)

    assert "weights need a few MB" in refusal(save(tmp_path / "a.ckpt", WEIGHTS))


@BOTH
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, legacy: bool, share: float) -> None:
    path = save(tmp_path / "a.ckpt", {"a": torch.ones(5000)}, legacy=legacy)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    assert "download it again" in refusal(path)


def test_a_flipped_bit_is_told(tmp_path: Path) -> None:
    path = save(tmp_path / "a.ckpt", {"a": torch.full((4000,), 7, dtype=torch.int32)})
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"\x07\x00\x00\x00" * 100) + 40] ^= 4
    path.write_bytes(raw)

    notes = converted(path)["notes"]

    assert any("does not fit its checksum" in note for note in notes)


def test_tensors_that_repeat_one_number_endlessly_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.ckpt", {"a": torch.ones(1).expand(10**12)})

    assert "repeat the same numbers" in refusal(path)


def test_a_storage_larger_than_the_file_is_refused(tmp_path: Path) -> None:
    members = parts(save(tmp_path / "good.ckpt", {"a": torch.ones(1000)}))
    raw = members.pop("data.pkl")
    thousand, more = b"M\xe8\x03", b"M\xff\xff"
    old = save(tmp_path / "old.ckpt", {"a": torch.ones(1000)}, legacy=True)

    assert raw.count(thousand) == 2
    assert "cannot be read as weights" in refusal(
        zip_checkpoint(tmp_path / "new.ckpt", raw.replace(thousand, more), members)
    )
    old.write_bytes(old.read_bytes().replace(thousand, more))
    assert "cannot be read as weights" in refusal(old)


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
    monkeypatch.setattr("trainer.convert.shutil.disk_usage", lambda path: usage)

    with pytest.raises(RunError, match="free some space"):
        converted(save(tmp_path / "a.ckpt", WEIGHTS))

    assert [path.name for path in tmp_path.iterdir()] == ["a.ckpt"]


def test_a_disk_that_becomes_full_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    source = save(tmp_path / "a.ckpt", WEIGHTS)
    monkeypatch.setattr("trainer.write_safetensors._write", full)

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


SEED = "a.ckpt"


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_converted_or_refused_and_breaks_nothing(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    path = save(folder / SEED, {"state_dict": WEIGHTS, "epoch": 1}, legacy=data.draw(st.booleans()))
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, min(len(raw), 1200) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)

    try:
        converted(path)
    except LoraError:
        pass
    else:
        assert identify(path.with_suffix(".safetensors")).kind == "unknown"


MEASURE = """
import sys, threading, time
from pathlib import Path
import torch, trainer.checkpoint_weights, trainer.write_safetensors
from trainer.convert import convert

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
