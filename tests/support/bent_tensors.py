"""Bends of a run's tensors: headers of safetensors, and states whose checksums are right and whose contents are not."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from advisor.files import open_regular
from tests.support.bent_trees import NUMBERS, TEXTS
from tests.support.mutations import ODD
from tests.support.outside import Outside

LENGTH_BYTES = 8
SHAPES: tuple[Any, ...] = (
    [], [0], [-1], [2**62] * 64, [2**63 - 1, 2], [1] * 1000, [10**30], ["4"], [1.5], None, "x", {"a": 1}, [2, 2, 2],
)  # fmt: skip
OFFSETS: tuple[Any, ...] = ([0, 2**63 - 1], [-1, 5], [5, 0], [0], [], "x", None, [0, 10**30], [0, 0])
METADATA: tuple[Any, ...] = (
    None, 5, [], {"a": 5}, {"ss_network_dim": "x" * 100_000}, {"modelspec.title": "\x1b[2J"},
    {"ss_steps": "9" * 4000, "ss_epoch": "1", "ss_num_batches_per_epoch": "9" * 4000,
     "ss_gradient_accumulation_steps": "1"},
)  # fmt: skip


def bend_header(path: Path, _: Outside, rng: random.Random) -> str:
    """A safetensors file whose header says other dtypes, shapes, places, names or lengths."""
    data = path.read_bytes()
    end = LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES], "little")
    header = json.loads(data[LENGTH_BYTES:end])
    name = rng.choice([name for name in header if name != "__metadata__"])
    act = rng.choice(("shape", "dtype", "data_offsets", "name", "metadata", "length", "entry"))
    if act == "shape":
        header[name]["shape"] = rng.choice(SHAPES)
    elif act == "dtype":
        header[name]["dtype"] = rng.choice(("F64", "I8", "F8_E4M3", "BOOL", "X", 5, None, ""))
    elif act == "data_offsets":
        header[name]["data_offsets"] = rng.choice(OFFSETS)
    elif act == "name":
        header[rng.choice(("", "\x00", "\x1b[2J", "a" * 100_000, "__metadata__", "../x"))] = header.pop(name)
    elif act == "metadata":
        header["__metadata__"] = rng.choice(METADATA)
    elif act == "entry":
        header[name] = rng.choice(ODD)
    text = json.dumps(header).encode("utf-8", "surrogatepass")
    length = rng.choice((0, 1, 2**63 - 1, 2**64 - 1, len(text) + 1000)) if act == "length" else len(text)
    path.write_bytes(length.to_bytes(LENGTH_BYTES, "little") + text + data[end:])
    return f"{act} of {name:.40}"


def bend_state(path: Path, _: Outside, rng: random.Random) -> str:
    """Another state behind right checksums: weights, the optimizer's memory, or what the manifest says of them."""
    folder = path.parent
    act = rng.choice((_bend_weights, _bend_optimizer, _bend_position))
    what = act(folder, rng)
    manifest = json.loads(_content(folder / "manifest.json"))
    for name in ("weights.safetensors", "optimizer.pt"):
        content = _content(folder / name)
        manifest["files"][name] = {"bytes": len(content), "sha256": sha256(content).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8", "surrogatepass")
    return what


def _content(path: Path) -> bytes:
    """Of a file beside the one that is bent, which an earlier bend may have made a pipe; an OSError then."""
    with open_regular(path) as file:
        return file.read()


def _bend_weights(folder: Path, rng: random.Random) -> str:
    path = folder / "weights.safetensors"
    weights = load(_content(path))
    name = rng.choice(sorted(weights))
    if rng.random() < 0.2:
        tensor = weights.pop(name)
        if rng.random() < 0.5:
            weights[rng.choice(("", "x", f"{name}.more", "ema.x"))] = tensor
        what = "is gone"
    else:
        weights[name], what = _bent_tensor(weights[name], rng)
    path.write_bytes(save({name: one.contiguous() for name, one in weights.items()}))
    return f"weights: {name} {what}"


def _bend_optimizer(folder: Path, rng: random.Random) -> str:
    path = folder / "optimizer.pt"
    tree = torch.load(io.BytesIO(_content(path)), weights_only=True)
    holder, key, name = rng.choice(list(_places(tree, "")))
    value, act = holder[key], rng.randrange(5)
    if act == 0:
        del holder[key]
        what = "is gone"
    elif isinstance(value, Tensor) and act < 4:
        holder[key], what = _bent_tensor(value, rng)
    else:
        holder[key] = deepcopy(rng.choice((*NUMBERS, *TEXTS, torch.zeros(3), None)))
        what = f"= {holder[key]!r:.40}"
    written = io.BytesIO()
    torch.save(tree, written)
    path.write_bytes(written.getvalue())
    return f"optimizer{name} {what}"


def _bend_position(folder: Path, rng: random.Random) -> str:
    """Numbers, lists and texts where the manifest has the step, the epoch and so on."""
    path = folder / "manifest.json"
    manifest = json.loads(_content(path))
    holder, key = rng.choice(
        [(manifest["position"], name) for name in manifest["position"]] * 2
        + [(manifest, name) for name in ("position", "epochs", "seconds", "config_hash", "optimizer_kind", "version")]
    )  # fmt: skip
    holder[key] = deepcopy(rng.choice((*NUMBERS, *TEXTS)))
    path.write_text(json.dumps(manifest), "utf-8", "surrogatepass")
    return f"{key} = {holder[key]!r:.40}"


def _bent_tensor(tensor: Tensor, rng: random.Random) -> tuple[Tensor, str]:
    bends: tuple[tuple[str, Callable[[Tensor], Tensor]], ...] = (
        ("is flat", lambda one: one.reshape(-1)),
        ("has a row more", lambda one: torch.cat([one.reshape(-1), torch.zeros(1)])),
        ("is empty", lambda _: torch.zeros(0)),
        ("is one number", lambda _: torch.tensor(5.0)),
        ("is NaN", lambda one: torch.full_like(one, float("nan"))),
        ("is infinite", lambda one: torch.full_like(one, float("inf"))),
        ("is negative", lambda one: torch.full_like(one, -1e30)),
        ("is int64", lambda one: one.nan_to_num().to(torch.int64)),
        ("is bool", lambda one: one.to(torch.bool)),
        ("is float64", lambda one: one.to(torch.float64)),
        ("is complex", lambda one: one.to(torch.complex64)),
        ("is turned", lambda one: one.reshape(*one.shape[::-1])),
    )
    what, bend = rng.choice(bends)
    return bend(tensor.float()), what


def _places(tree: Any, name: str) -> Iterator[tuple[Any, Any, str]]:
    keys: list[Any] = list(tree) if isinstance(tree, dict) else list(range(len(tree))) if isinstance(tree, list) else []
    for key in keys:
        yield tree, key, f"{name}.{key}"
        yield from _places(tree[key], f"{name}.{key}")
