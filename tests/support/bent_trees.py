"""Bends of a run's JSON and TOML: other types and sizes, names that are gone or stand twice, depth without end."""

from __future__ import annotations

import json
import os
import random
import tomllib
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from tests.support.mutations import ODD, as_toml
from tests.support.outside import Outside

Bend = Callable[[Path, Outside, random.Random], str]
"""Changes a file; says how."""

DEEP = 3000
"""Levels, more than Python's own recursion limit."""

NUMBERS: tuple[Any, ...] = (
    -5, -1, 0, 1, 3, 10**30, -(10**30), 2**31, 2**63 - 1, 2**63, 2**64, 1e308, 1e-320, 0.5, -0.0, float("nan"),
    float("inf"), float("-inf"), "x", "5", "1e5", True, None, [], [5], {}, {"value": 5},
)  # fmt: skip
"""What may stand where a number is."""
TEXTS: tuple[Any, ...] = (
    "", "\x00", "\x1b]0;title\x07\x1b[2J", "\u202egnp.exe", "\ud800", "../../..", "../outside", "/etc/passwd",
    "C:\\x", "CON",
    "-rf", "a" * 5000, "a\nb\r\nc", "<script>alert(1)</script>", "{{ 7 * 7 }}", "${HOME}", "%s%n", 5, -5, 1e400, [],
    ["a", 1],
    {}, None, True,
)  # fmt: skip
"""What may stand where a text is."""


def bend_json(path: Path, outside: Outside, rng: random.Random) -> str:
    """One to three places of a JSON file, or the whole of it."""
    tree, what = _bent(json.loads(path.read_text("utf-8")), outside, rng)
    path.write_text(_json_text(tree, rng), "utf-8", "surrogatepass")
    return what


def bend_lines(path: Path, outside: Outside, rng: random.Random) -> str:
    """Lines of JSON bent, doubled, put elsewhere or joined."""
    lines, told = path.read_text("utf-8").splitlines(), list[str]()
    for _ in range(rng.choice((1, 1, 3, 10))):
        place, act = rng.randrange(len(lines)), rng.randrange(6)
        if act < 4:
            tree, what = _bent(json.loads(lines[place]), outside, rng)
            lines[place] = _json_text(tree, rng)
            told.append(f"line {place + 1} {what}")
        elif act == 4:
            lines.insert(rng.randrange(len(lines)), lines[place])
            told.append(f"line {place + 1} again elsewhere")
        else:
            lines[place] += lines[rng.randrange(len(lines))]
            told.append(f"line {place + 1} has two")
    path.write_text("\n".join(lines) + "\n", "utf-8", "surrogatepass")
    return "; ".join(told)


def bend_toml(path: Path, outside: Outside, rng: random.Random) -> str:
    """One to three places of a TOML file."""
    tree, what = _bent(tomllib.loads(path.read_text("utf-8")), outside, rng)
    path.write_bytes(as_toml(tree if isinstance(tree, dict) else {"x": tree}, rng))
    return what


def bend_setting(path: Path, outside: Outside, rng: random.Random) -> str:
    """One setting that leads elsewhere or is beyond all measure; the configuration or the ladder is whole otherwise."""
    setting, values = rng.choice(_hostile_settings(outside))
    value = rng.choice(values)
    if path.suffix == ".json":
        tree = json.loads(path.read_text("utf-8"))
        tree["settings"][setting] = value
        path.write_text(json.dumps(tree), "utf-8")
    else:
        tree = tomllib.loads(path.read_text("utf-8"))
        group, _, name = setting.partition(".")
        tree[group][name] = value
        path.write_bytes(as_toml(tree, rng))
    return f"{setting} = {value!r:.60}"


def _hostile_settings(outside: Outside) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    huge = (2**63 - 1, 10**30)
    return (
        ("saving.name", ("../../x", "a/b", "CON", "-x", "a\x00b", "n" * 300, "")),
        ("run.wandb_project", ("stolen", "../x")),
        ("dataset.images", (str(outside.folder), "../..", str(outside.absent), "")),
        ("dataset.folders", ([{"path": "../../home", "repeats": 5}], [{"path": str(outside.folder), "repeats": 2**40}],
                            [{"path": ".", "repeats": 10**9}])),
        ("dataset.repeats", (10**30,)),
        ("dataset.resolution_px", (4096, 65, 10**9, 2**63 - 1)),
        ("dataset.min_bucket_px", (2**63 - 1, 10**30, 4096)),
        ("dataset.bucket_step_px", (2**63 - 1, 10**30, 4096, 7)),
        ("dataset.keep_tokens", huge),
        ("model.path", (str(outside.secret), str(outside.folder), "model/mia.safetensors", "/dev/zero", "")),
        ("model.vae_path", (str(outside.secret), "cache", "/dev/null")),
        ("model.text_encoder_path", (str(outside.secret), "cache", "/dev/null")),
        ("network.start_from", (str(outside.secret), "model/mia.safetensors", "..", "/dev/zero")),
        ("network.rank", (512, 10**30)),
        ("network.alpha", (1e308, 1e-300)),
        ("network.conv_alpha", (1e308,)),
        ("network.factor", huge),
        ("network.block_ranks", ([10**30] * 25, [-1] * 25, [0] * 25, [2**63 - 1] * 20)),
        ("schedule.epochs", (2**63 - 1, 10**30, 0)),
        ("schedule.max_steps", huge),
        ("schedule.warmup_steps", huge),
        ("schedule.cycles", huge),
        ("schedule.power", (1e308,)),
        ("schedule.batch_size", (256,)),
        ("schedule.gradient_accumulation", huge),
        ("optimizer.weight_decay", (1e308,)),
        ("optimizer.max_grad_norm", (1e308, 1e-320)),
        ("optimizer.arguments", (["betas=x"], ["eps=-1"], ["lr=5"], ["betas=0.9"], ["foreach=1"], ["params=1"])),
        ("loss.min_snr_gamma", (1e308,)),
        ("loss.huber_c", (1e308, 1e-300)),
        ("loss.prior_weight", (1e308,)),
        ("machine.cpu_threads", (2**63 - 1, 10**30, 100_000)),
        ("machine.data_workers", huge),
        ("saving.every_epochs", huge),
        ("saving.every_steps", huge),
        ("saving.keep_last", huge),
        ("saving.state_every_minutes", huge),
        ("sampling.prompts", (["a" * 100_000], ["(" * 3000], ["\x00"], [""] * 3)),
        ("sampling.guidance", (1e308,)),
        ("sampling.every_epochs", huge),
        ("validation.share", (1.0, 0.999)),
        ("validation.every_epochs", (10**30,)),
    )  # fmt: skip


def _bent(tree: Any, outside: Outside, rng: random.Random) -> tuple[Any, str]:
    if rng.random() < 0.08:
        value = deepcopy(rng.choice((*NUMBERS, *TEXTS, [[]], [{}])))
        return value, f"is {value!r:.40}"
    told = list[str]()
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = list(_places(tree, ""))
        if not places:
            return None, "is null"
        holder, key, name = rng.choice(places)
        told.append(f"{name} {_bend_place(holder, key, outside, rng)}")
    return tree, "; ".join(told)


def _bend_place(holder: Any, key: Any, outside: Outside, rng: random.Random) -> str:
    act, value = rng.randrange(10), holder[key]
    if act == 0:
        del holder[key]
        return "is gone"
    if act == 1 and isinstance(holder, dict):
        holder[rng.choice(("?", str(key).upper(), ""))] = holder.pop(key)
        return "is renamed"
    if act == 2:
        for _ in range(rng.choice((1, 3, 90, 200))):
            value = {"x": value} if rng.random() < 0.5 else [value]
        holder[key] = value
        return "is wrapped"
    if act == 3:
        holder[key] = {str(number): inner for number, inner in enumerate(value)} if isinstance(value, list) else [value]
        return "is a table for a list, or a list for what it holds"
    fitting = NUMBERS if isinstance(value, int | float) else _texts(outside) if isinstance(value, str) else ODD
    holder[key] = deepcopy(rng.choice(fitting if rng.random() < 0.7 else ODD))
    return f"= {holder[key]!r:.40}"


def _texts(outside: Outside) -> tuple[Any, ...]:
    return (*TEXTS, str(outside.file), str(outside.secret), os.path.relpath(outside.secret, Path.cwd()))


def _places(tree: Any, name: str) -> Iterator[tuple[Any, Any, str]]:
    keys: list[Any] = list(tree) if isinstance(tree, dict) else list(range(len(tree))) if isinstance(tree, list) else []
    for key in keys:
        inner = f"{name}.{key!s:.30}"
        yield tree, key, inner
        yield from _places(tree[key], inner)


def _json_text(tree: Any, rng: random.Random) -> str:
    """The tree as JSON, now and then with a name that stands twice, too deep, or with a number of too many digits."""
    text, act = json.dumps(tree, ensure_ascii=rng.random() < 0.7), rng.randrange(20)
    if act == 0 and isinstance(tree, dict) and tree:
        return "{" + f"{json.dumps(next(iter(tree)))}: {rng.choice(('5', '[]', 'null'))}, " + text[1:]
    if act == 1:
        return text.replace(":", ":" + "[" * DEEP + "]" * DEEP + ',"y":', 1)
    if act == 2:
        return text.replace(":", ": " + "9" * 5000 + ',"y":', 1)
    return text
