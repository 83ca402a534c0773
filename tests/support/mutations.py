"""Files of other trainers, bent in many ways: types, missing and doubled keys, depth, encodings, torn text."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from typing import Any

from jinja2 import UndefinedError
from safetensors.numpy import save

from advisor.errors import LoraError
from templates.render import render

Tree = dict[str, Any]

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 3.5, 1e308, -1e-320, 2**63, 10**30, "", " ", "8", "1e-4", "abc", "NaN", "true", "none",
    "\ud83e\udd8a", "a" * 5000, "x=1 y=2 =3", "512,512", "512x768", "{}", "${HOME}", "\\\\server\\share", "../../..",
    "C:\\x",
    [], {}, [1, 2], [[1]], ["a", 1, None], {"a": {"b": [1, {"c": 2}]}}, [{"path": 1}], "1,2,3,", "--seed 5 --flag",
    "\x00",
    "0,1", "1_000", "٣", float("inf"), "LyCORIS/LoKr", "AdamW8bit", [True, False], [1e400], "-0", "1.0.0", "é" * 300,
)  # fmt: skip
"""What may stand anywhere."""

ENCODINGS = ("utf-8-sig", "utf-16", "utf-32", "cp1252", "utf-16-le", "cp037")


def mutated(tree: Tree, rng: random.Random) -> Tree:
    """A copy with a few places changed."""
    found: Tree = json.loads(json.dumps(tree))
    for _ in range(rng.choice((1, 2, 3, 8, 20))):
        _change(found, rng)
    return found


def _change(tree: Any, rng: random.Random) -> None:
    """One place, any as likely as another: change, remove, rename or wrap what is there."""
    places = list(_places(tree))
    if not places:
        return
    place, key = rng.choice(places)
    act = rng.randrange(6)
    if act < 3:
        place[key] = deepcopy(rng.choice(ODD))
    elif act == 3:
        del place[key]
    elif act == 4 and isinstance(place, dict):
        place[rng.choice((str(key).upper(), f"{key}_old", "", "a.b[0].c", "ключ"))] = place.pop(key)
    else:
        value = place[key]
        for _ in range(rng.choice((1, 3, 30, 200))):
            value = {"x": value} if rng.random() < 0.5 else [value]
        place[key] = value


def _places(tree: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    keys: list[Any] = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
    for key in keys:
        yield tree, key
        if isinstance(tree[key], dict | list) and depth < 12:
            yield from _places(tree[key], depth + 1)


def torn(data: bytes, rng: random.Random) -> bytes:
    """Bytes removed, changed or put in, or another encoding; most often nothing."""
    act = rng.randrange(10)
    if act == 0:
        return data[: rng.randrange(len(data) + 1)]
    if act == 1:
        place = rng.randrange(len(data) + 1)
        return data[:place] + bytes(rng.randrange(256) for _ in range(rng.randrange(1, 8))) + data[place:]
    if act == 2:
        text = data.decode("utf-8", "replace")
        return text.encode(rng.choice(ENCODINGS), "replace")
    return data


def as_json(tree: Tree, rng: random.Random) -> bytes:
    """JSON, now and then with comments, doubled keys or commas too many."""
    text = json.dumps(tree, indent=rng.choice((None, 2)), ensure_ascii=rng.random() < 0.5)
    act = rng.randrange(8)
    if act == 0:
        text = text.replace("{", '{ "network_dim": 8, "network_dim": [], // twice\n', 1)
    elif act == 1:
        text = text.replace("}", ",}", 2)
    return text.encode("utf-8", "replace")


def as_toml(tree: Tree, rng: random.Random) -> bytes:
    """TOML of what TOML can hold."""
    lines: list[str] = []
    for key, value in tree.items():
        if isinstance(value, dict):
            lines += ["", f"[{_name(key)}]", *(f"{_name(name)} = {_toml(inner)}" for name, inner in value.items())]
        else:
            lines.insert(0, f"{_name(key)} = {_toml(value)}")
    if rng.random() < 0.05:
        lines.append("[[datasets]]\nresolution = [[[]]]\n[[datasets.subsets]]\nimage_dir = 5")
    return "\n".join(lines).encode("utf-8", "replace")


def _name(key: str) -> str:
    return json.dumps(key)


def _toml(value: Any) -> str:
    if value is None:
        return '""'
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_name(key)} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return {"Infinity": "inf", "-Infinity": "-inf", "NaN": "nan"}.get(text := json.dumps(value), text)


def as_yaml(tree: Tree, rng: random.Random) -> bytes:
    """YAML: block style where it goes, JSON (which YAML reads) otherwise."""
    text = json.dumps(tree, ensure_ascii=False)
    if rng.random() < 0.3:
        with suppress(LoraError, RecursionError, UndefinedError):
            text = render("files/tree.yaml.j2", head="h", tree=tree)
    if rng.random() < 0.02:
        text += "\nlaughs: [&a [x, x], *a, *a]\n"
    return text.encode("utf-8", "replace")


def as_lora(tree: Tree, rng: random.Random) -> bytes:
    """A LoRA file with such metadata; its weights bent now and then."""
    import numpy

    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    rank = rng.choice((0, 1, 4, 16))
    tensors = {f"{name}.lora_down.weight": numpy.zeros((rank, 320), numpy.float16),
               f"{name}.lora_up.weight": numpy.zeros((320, rank), numpy.float16),
               f"{name}.alpha": numpy.array(rng.choice((1.0, 1e30, -1.0)), numpy.float32)}  # fmt: skip
    texts = {str(key): value if isinstance(value, str) else json.dumps(value) for key, value in tree.items()}
    clean = {key: text.encode("utf-8", "replace").decode() for key, text in texts.items()}
    written: bytes = save(tensors, clean)
    return written


def written(tree: Tree, name: str, rng: random.Random) -> bytes:
    """A bent file of the format; what is too deep to be written is an empty one."""
    try:
        return torn(WRITERS[name][1](mutated(tree, rng), rng), rng)
    except RecursionError:
        return b""


Writer = Callable[[Tree, random.Random], bytes]
WRITERS: dict[str, tuple[str, Writer]] = {
    "kohya-gui": ("a.json", as_json), "sd-scripts": ("config.toml", as_toml), "onetrainer": ("config.json", as_json),
    "ai-toolkit": ("job.yaml", as_yaml), "musubi-tuner": ("config.toml", as_toml), "lora": ("a.safetensors", as_lora),
}  # fmt: skip
"""File name and writer of each format."""
