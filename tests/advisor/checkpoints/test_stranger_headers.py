"""Headers from strangers: whatever they hold, identifying the file ends in an identity that JSON can show, or in a
LoraError, in a time that grows with the header's length.
"""

from __future__ import annotations

import json
import random
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from advisor.checkpoints.identify import identify
from advisor.errors import LoraError, ModelError
from advisor.families.sd2 import PREDICTION_TENSOR
from tests.support import ldm_layout
from tests.support.headers import entries, write_model, write_raw
from tests.support.identities import P
from tests.support.ldm_layout import under
from tests.support.mutations import mutated, torn

LORA = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
CHECKPOINT = {
    **under(P, ldm_layout.unet((32, 64), (0, 1), context=64)),
    **under("first_stage_model.", ldm_layout.vae((16, 32))),
    **under("cond_stage_model.transformer.", ldm_layout.clip(64, 1, vocab=300)),
}
LAYOUTS = {
    "checkpoint": CHECKPOINT,
    "lora": {f"{LORA}.lora_down.weight": (4, 320), f"{LORA}.lora_up.weight": (320, 4), f"{LORA}.alpha": ()},
}
METADATA = {
    "format": "pt", "ss_network_alpha": "8", "ss_base_model_version": "sd_v1", "modelspec.title": "a",
    "lora_adapter_metadata": '{"unet.lora_alpha": 8}', "modelspec.prediction_type": "v",
}  # fmt: skip
SHAPES: tuple[list[object], ...] = (
    [],
    [0],
    [1] * 64,
    [2**62] * 64,
    [2**62, 0],
    [2**63 - 1],
    [320, 4],
    [4, 320, 3, 3],
    [10**30],
    [1.5],
    [True],
)


def shown(path: Path) -> dict[str, Any]:
    """The identity as `identify --json` prints it."""
    found: dict[str, Any] = json.loads(json.dumps(asdict(identify(path)), allow_nan=False))
    return found


def mutant(layout: str, dice: random.Random) -> bytes:
    """A header, bent; most have offsets that fit their shapes, so that more than the offsets is looked at."""
    shapes = dict(LAYOUTS[layout])
    for _ in range(dice.choice((0, 1, 3))):
        name = dice.choice(sorted(shapes))
        shape = shapes.pop(name)
        renamed = dice.choice(
            (name, f"{name}\x1b[2J", name.replace(".0.", f".{10 ** dice.choice((1, 9, 300))}."), name[:9])
        )
        shapes[renamed] = dice.choice((shape, shape[:1], (*shape, 1), (0,), (1, 1)))
    table: dict[str, Any] = {
        "__metadata__": dict(METADATA),
        **entries(shapes, dice.choice(("F16", "BF16", "F8_E4M3", "U8", "I64", "F64"))),
    }
    if dice.random() < 0.5:
        table = mutated(table, dice)
    if dice.random() < 0.3:
        entry = table.get(dice.choice(sorted(shapes)))
        if isinstance(entry, dict):
            entry["shape"] = dice.choice(SHAPES)
    return torn(json.dumps(table).encode("utf-8", "surrogatepass"), dice)


def told_bytes(header: bytes) -> int:
    """How many bytes the tensors claim, as far as that can be told."""
    with suppress(ValueError, RecursionError, AttributeError, TypeError, LookupError):
        ends = [entry["data_offsets"][1] for entry in json.loads(header).values() if "data_offsets" in entry]
        most = max(ends, default=0)
        if isinstance(most, int) and 0 <= most < 2**40:
            return most
    return 10**6


def fuzz(folder: Path, layout: str, dice: random.Random, times: int) -> int:
    """How many of so many bent headers gave an identity."""
    known = 0
    for _ in range(times):
        header = mutant(layout, dice)
        path = write_raw(folder / "model.safetensors", header, told_bytes(header))
        with suppress(LoraError):
            assert shown(path)
            known += 1
    return known


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_bent_header_gives_an_identity_or_a_lora_error(tmp_path: Path, layout: str) -> None:
    assert fuzz(tmp_path, layout, random.Random(f"14 {layout}"), 60) > 10


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_thousands_of_bent_headers_give_an_identity_or_a_lora_error(tmp_path: Path, layout: str) -> None:
    assert fuzz(tmp_path, layout, random.Random(f"slow {layout}"), 2000) > 200


@pytest.mark.parametrize("number", ["inf", "nan", "1e999", "-inf"])
def test_an_alpha_that_is_no_number_is_unknown(tmp_path: Path, number: str) -> None:
    without = {name: shape for name, shape in LAYOUTS["lora"].items() if not name.endswith("alpha")}
    path = write_model(tmp_path / "a.safetensors", without, metadata={"ss_network_alpha": number})
    inside = write_model(
        tmp_path / "b.safetensors", LAYOUTS["lora"], dtype="F32",
        values={f"{LORA}.alpha": struct.pack("<f", float(number) if number != "1e999" else float("inf"))},
    )  # fmt: skip

    assert shown(path)["alpha"] is None
    assert shown(inside)["alpha"] is None


def test_a_telling_tensor_of_no_numbers_tells_nothing(tmp_path: Path) -> None:
    layout = ldm_layout.sd2()
    size = layout[P + PREDICTION_TENSOR][0]
    values = {P + PREDICTION_TENSOR: struct.pack("<f", float("inf")) * size}
    path = write_model(tmp_path / "a.safetensors", layout, dtype="F32", values=values)

    assert shown(path)["prediction"] is None


def test_a_block_of_a_gigantic_number_is_no_measure(tmp_path: Path) -> None:
    """The number of blocks was taken from the largest number of one, and each block would have been built."""
    far = {
        name.replace("transformer_blocks.0.", f"transformer_blocks.{10**300}."): one for name, one in CHECKPOINT.items()
    }

    found = shown(write_model(tmp_path / "a.safetensors", far))

    assert found["structure"] is None
    assert not found["trainable"]


NESTED = "." + "lora_magnitude_vector." * 40
HOSTILE: dict[str, Callable[[int], dict[str, Any]]] = {
    "names in one another": lambda size: {f"{NESTED[:980]}{n}!": 1 for n in range(size // 1000)},
    "one long name": lambda size: {"lora_magnitude_vector." * (size // 22): 1},
    "many names": lambda size: {f"a.hada_w1_{number}.b": 1 for number in range(size // 25)},
    "many metadata": lambda size: {"__metadata__": {f"k{number}": "v" for number in range(size // 15)}},
    "long metadata": lambda size: {
        "__metadata__": {"lora_adapter_metadata": "[" * size, "modelspec.title": "_" * size}
    },
    "one list": lambda size: {"a": {"dtype": "F16", "shape": [1] * (size // 3), "data_offsets": [0, 0]}},
    "one text": lambda size: {"a": {"dtype": "F16", "shape": [0], "data_offsets": [0, "0" * size]}},
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_header_of_half_a_megabyte_made_to_be_slow_takes_a_moment(tmp_path: Path, what: str) -> None:
    table = HOSTILE[what](500_000)
    at = {"dtype": "F16", "shape": [0], "data_offsets": [0, 0]}
    header = {name: at if entry == 1 else entry for name, entry in table.items()}
    path = write_raw(tmp_path / "a.safetensors", json.dumps(header or {"a": at}).encode())
    began = time.process_time()
    with suppress(ModelError):
        shown(path)
    assert time.process_time() - began < 10
