"""Pickles that name what is no weight: refused, and nothing of it is carried out."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from tests.support.checkpoints import (
    BOTH,
    WEIGHTS,
    Calls,
    call,
    foreign_class,
    legacy_checkpoint,
    refusal,
    save,
    zip_checkpoint,
)
from trainer.convert.pickle_names import LEFT_OUT, PLAIN_TABLES
from trainer.convert.pickle_names import WEIGHTS as WEIGHT_NAMES

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
    from trainer.convert.pickle_names import is_hostile

    assert [name for name in WEIGHT_NAMES | LEFT_OUT | PLAIN_TABLES if is_hostile(name)] == []
