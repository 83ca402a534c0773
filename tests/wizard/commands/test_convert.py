from __future__ import annotations

import json
import os
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from safetensors.torch import load_file, save_file

from advisor.errors import LoraError, ModelError, RunError
from advisor.files import write_atomically
from advisor.tensor_files.other_formats import convert_command, is_pickle
from tests.support.checkpoints import WEIGHTS, call, same, save, zip_checkpoint
from tests.support.scripted import ScriptedAsk
from tests.support.tiny import tiny_sd1_checkpoint
from wizard.cli import main
from wizard.commands.convert import agree, agree_to_replace, converted_path, refuse_other_files
from wizard.exit_codes import TrainerBroke
from wizard.interview.ask import TerminalAsk
from wizard.processes.conversion import run_conversion


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """(exit code, stdout, stderr) of `loracle convert`, without a terminal."""
    with pytest.raises(SystemExit) as end:
        main(["convert", *map(str, arguments)])
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


def test_a_checkpoint_is_converted_and_told_for_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = load_file(tiny_sd1_checkpoint(tmp_path))
    source = save(tmp_path / "model.ckpt", {"state_dict": state, "epoch": 1})

    code, out, err = run(capsys, source, "--yes")

    assert code == 0
    assert "SD1.x" in out
    assert "trainable   yes" in out
    assert "Left out, as it lies beside the weights: epoch." in out
    assert "Writing the weights" in err
    assert same(load_file(tmp_path / "model.safetensors"), state)


def test_json_is_the_only_thing_on_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = save(tmp_path / "a.ckpt", WEIGHTS)

    code, out, _ = run(capsys, source, "--yes", "--json", "--out", tmp_path / "b.safetensors")

    document = json.loads(out)
    assert code == 0
    assert document["path"] == str(tmp_path / "b.safetensors")
    assert document["num_tensors"] == 2
    assert document["identity"]["kind"] == "unknown"


def test_without_a_yes_and_a_terminal_nothing_is_opened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, save(tmp_path / "a.ckpt", WEIGHTS))

    assert code == 2
    assert out == ""
    assert "A pickle is a small program" in err
    assert "--yes" in err
    assert not (tmp_path / "a.safetensors").exists()


def test_an_attack_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    canary = tmp_path / "canary"
    source = zip_checkpoint(tmp_path / "a.ckpt", call("posix", "system", f"touch {canary}"))

    code, _, err = run(capsys, source, "--yes")

    assert code == 2
    assert "posix.system" in err
    assert not canary.exists()
    assert not (tmp_path / "a.safetensors").exists()


def test_a_file_that_is_there_is_not_replaced_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.safetensors").write_text("mine", encoding="utf-8")

    code, _, err = run(capsys, save(tmp_path / "a.ckpt", WEIGHTS), "--yes")

    assert code == 2
    assert "is there already" in err
    assert (tmp_path / "a.safetensors").read_text(encoding="utf-8") == "mine"


def test_overwrite_replaces_a_file_and_keeps_it_beside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pickle = save(tmp_path / "a.ckpt", WEIGHTS)
    (tmp_path / "a.safetensors").write_bytes(b"mine")

    code, _, err = run(capsys, pickle, "--yes")
    assert code == 2
    assert "--overwrite" in err

    code, _, err = run(capsys, pickle, "--yes", "--overwrite")
    assert code == 0, err
    assert (tmp_path / "a.safetensors.bak").read_bytes() == b"mine"
    assert same(load_file(tmp_path / "a.safetensors"), WEIGHTS)


def test_a_conversion_that_fails_leaves_no_copy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attack = zip_checkpoint(tmp_path / "model.ckpt", call("posix", "system", "true"))
    (tmp_path / "model.safetensors").write_bytes(b"mine")

    code, _, _ = run(capsys, attack, "--yes", "--overwrite")

    assert code == 2
    assert (tmp_path / "model.safetensors").read_bytes() == b"mine"
    assert not list(tmp_path.glob("*.bak*"))


def test_the_question_begins_at_no() -> None:
    with create_pipe_input() as keys:
        keys.send_text("\r")
        with pytest.raises(LoraError, match="Nothing was opened"):
            agree(Path("a.ckpt"), TerminalAsk(input=keys, output=DummyOutput()), yes=False)


def test_a_yes_at_the_terminal_goes_on() -> None:
    with create_pipe_input() as keys:
        keys.send_text("\x1b[B\r")
        agree(Path("a.ckpt"), TerminalAsk(input=keys, output=DummyOutput()), yes=False)


def test_the_dangers_are_told_before_the_question() -> None:
    ask = ScriptedAsk("yes")

    agree(Path("a.ckpt"), ask, yes=False)

    assert "a.ckpt is a pickle" in ask.heard
    assert "No check is perfect" in ask.heard


def test_replacing_is_asked_for_and_a_no_is_heeded(tmp_path: Path) -> None:
    target = tmp_path / "a.safetensors"
    agree_to_replace(target, None)
    target.touch()

    agree_to_replace(target, ScriptedAsk("yes"))
    with pytest.raises(LoraError, match="stays as it is"):
        agree_to_replace(target, ScriptedAsk("no"))


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("model.ckpt", "model.safetensors"),
        ("nai.final-pruned.ckpt", "nai.final-pruned.safetensors"),
        ("model.v1", "model.v1.safetensors"),
        ("MODEL.PT", "MODEL.safetensors"),
        ("diffusion_pytorch_model.bin", "diffusion_pytorch_model.safetensors"),
        ("pytorch_model.bin", "model.safetensors"),
    ],
)
def test_the_new_file_lies_beside_the_old_one(tmp_path: Path, source: str, target: str) -> None:
    assert converted_path(tmp_path / source, None) == tmp_path / target


def test_out_may_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()

    assert converted_path(tmp_path / "a.ckpt", str(tmp_path / "models")) == tmp_path / "models" / "a.safetensors"


def test_out_must_be_called_safetensors(tmp_path: Path) -> None:
    with pytest.raises(LoraError, match=r"must end in \.safetensors"):
        converted_path(tmp_path / "a.ckpt", str(tmp_path / "b.ckpt"))


def test_out_is_not_the_file_itself(tmp_path: Path) -> None:
    source = tmp_path / "a.ckpt"
    source.touch()
    os.link(source, tmp_path / "b.safetensors")

    with pytest.raises(LoraError, match="the file itself"):
        converted_path(source, str(tmp_path / "b.safetensors"))


def test_a_lora_is_written_in_diffusers_names_without_a_question(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    state = {f"{name}.lora_down.weight": torch.ones(4, 768), f"{name}.lora_up.weight": torch.ones(320, 4)}
    save_file(state, tmp_path / "mira.safetensors")

    code, out, _ = run(capsys, tmp_path / "mira.safetensors")

    assert code == 0
    assert "Written:" in out
    assert "LoRA" in out
    assert set(load_file(tmp_path / "mira-diffusers.safetensors")) == {
        f"unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.lora_{side}.weight" for side in "AB"
    }


def test_a_lora_of_anima_goes_from_kohyas_names_to_the_base_models_and_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "lora_unet_blocks_0_cross_attn_k_proj"
    state = {f"{name}.lora_down.weight": torch.ones(4, 1024), f"{name}.lora_up.weight": torch.ones(2048, 4)}
    save_file({**state, f"{name}.alpha": torch.tensor(2.0)}, tmp_path / "mira.safetensors")

    assert run(capsys, tmp_path / "mira.safetensors")[0] == 0
    there = load_file(tmp_path / "mira-comfyui.safetensors")
    assert set(there) == {f"diffusion_model.blocks.0.cross_attn.k_proj.lora_{side}.weight" for side in "AB"}
    assert run(capsys, tmp_path / "mira-comfyui.safetensors")[0] == 0
    assert set(load_file(tmp_path / "mira-comfyui-kohya.safetensors")) == {*state, f"{name}.alpha"}


def test_a_safetensors_file_needs_no_conversion(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is nothing to convert"):
        refuse_other_files(tiny_sd1_checkpoint(tmp_path))


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"hello\n", "text file"), (b"", "empty"), (b"GGUF\x03\0\0\0\0", "GGUF"), (b"<html>", "web page")],
)
def test_other_files_are_named_before_anything_is_asked(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "a.ckpt").write_bytes(content)

    with pytest.raises(ModelError, match=told):
        refuse_other_files(tmp_path / "a.ckpt")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        refuse_other_files(tmp_path / "a.ckpt")


def test_a_folder_names_the_commands_for_its_pickles(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    pickled = tmp_path / "unet" / "diffusion_pytorch_model.bin"
    pickled.touch()

    with pytest.raises(ModelError) as error:
        refuse_other_files(tmp_path)

    assert convert_command(pickled) in str(error.value)


def test_a_pickle_called_safetensors_is_to_be_renamed(tmp_path: Path) -> None:
    path = save(tmp_path / "a.safetensors", WEIGHTS)

    with pytest.raises(ModelError, match=r"rename it to a\.ckpt, then `loracle convert .*a\.ckpt`"):
        refuse_other_files(path)
    assert is_pickle(path)


@pytest.mark.skipif(os.name == "nt", reason="cmd quotes otherwise")
def test_the_command_can_be_pasted_into_a_shell() -> None:
    assert convert_command(Path("/models/a b.ckpt")) == "loracle convert '/models/a b.ckpt'"
    assert convert_command(Path("/models/a.ckpt")) == "loracle convert /models/a.ckpt"


def conversion(tmp_path: Path, script: str, said: list[str] | None = None) -> dict[str, Any]:
    """A conversion by a process of the test's own."""
    path = tmp_path / "child.py"
    head = "import json, os, signal, sys, time\ndef send(**line): print(json.dumps(line), flush=True)\n"
    path.write_text(head + textwrap.dedent(script), encoding="utf-8")
    return run_conversion(
        Path("a.ckpt"),
        tmp_path / "a.safetensors",
        (said if said is not None else []).append,
        command=lambda source, target: [sys.executable, str(path), str(source), str(target)],
    )


def test_what_the_process_says_is_shown(tmp_path: Path) -> None:
    said: list[str] = []

    finished = conversion(
        tmp_path,
        """
        send(event="progress", phase="check", done=0, total=0)
        send(event="progress", phase="write", done=5, total=10)
        send(event="finished", path=sys.argv[2])
        """,
        said,
    )

    assert finished["path"] == str(tmp_path / "a.safetensors")
    assert said == ["Looking through the file ...", "Writing the weights: 50 % ..."]


def test_a_process_that_breaks_is_a_defect_of_ours(tmp_path: Path) -> None:
    with pytest.raises(TrainerBroke, match="ZeroDivisionError"):
        conversion(tmp_path, "1 / 0")


def test_a_process_that_ends_without_a_word_is_a_defect_of_ours(tmp_path: Path) -> None:
    with pytest.raises(TrainerBroke):
        conversion(tmp_path, "pass")


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
@pytest.mark.parametrize(("number", "told"), [("SIGKILL", "memory"), ("SIGBUS", "SIGBUS")])
def test_a_killed_process_is_told_as_what_it_most_likely_was(tmp_path: Path, number: str, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        conversion(tmp_path, f"os.kill(os.getpid(), signal.{number})")


def test_a_process_that_cannot_start_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be started"):
        run_conversion(
            Path("a.ckpt"), tmp_path / "a", lambda text: None, command=lambda *_: [str(tmp_path / "nothing")]
        )


@pytest.fixture
def _python_hears_ctrl_c() -> Iterator[None]:
    """Python installs no handler where SIGINT was ignored from its start on, as in a background shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_python_hears_ctrl_c")
@pytest.mark.skipif(os.name == "nt", reason="a signal to oneself is POSIX's")
def test_ctrl_c_reaches_the_process_and_leaves_nothing(tmp_path: Path) -> None:
    def press() -> None:
        while not (tmp_path / "began").exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    with pytest.raises(KeyboardInterrupt):
        conversion(
            tmp_path,
            f"""
            try:
                open({str(tmp_path / "began")!r}, "w").close()
                time.sleep(30)
            except KeyboardInterrupt:
                open({str(tmp_path / "cleaned")!r}, "w").close()
                sys.exit(130)
            """,
        )

    assert (tmp_path / "cleaned").exists()


@pytest.mark.parametrize("is_replaced", [True, False])
def test_ctrl_c_takes_no_copy_of_a_file_that_was_replaced_already(
    is_replaced: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def conversion(source: Path, target: Path, **more: object) -> None:
        if is_replaced:
            write_atomically(target, "made of the pickle")
        raise KeyboardInterrupt("Interrupted.")

    monkeypatch.setattr("wizard.commands.convert.run_conversion", conversion)
    source = save(tmp_path / "a.ckpt", WEIGHTS)
    (tmp_path / "a.safetensors").write_text("mine")

    code, _, err = run(capsys, source, "--yes", "--overwrite")

    kept = tmp_path / "a.safetensors.bak"
    assert code == 130
    assert kept.exists() == is_replaced
    assert (kept if is_replaced else tmp_path / "a.safetensors").read_text() == "mine"
    assert ("is kept as" in err) == is_replaced


def test_a_file_that_comes_while_it_works_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def conversion(source: Path, target: Path, **more: Any) -> dict[str, Any]:
        target.write_text("another program's")
        return run_conversion(source, target, **more)

    monkeypatch.setattr("wizard.commands.convert.run_conversion", conversion)

    code, _, err = run(capsys, save(tmp_path / "a.ckpt", WEIGHTS), "--yes")

    assert code == 2
    assert "meanwhile" in err
    assert (tmp_path / "a.safetensors").read_text() == "another program's"
