"""Run folders bent in many ways: in type, length, encoding, by links, by names that nobody gave.

What is bent is drawn by a `random.Random`, so that a seed stands for a folder.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
from contextlib import chdir
from pathlib import Path
from pickle import UnpicklingError

from safetensors import SafetensorError

from tests.support.bent_tensors import bend_header, bend_state
from tests.support.bent_trees import Bend, bend_json, bend_lines, bend_setting, bend_toml
from tests.support.mutations import ENCODINGS
from tests.support.outside import Outside

LONG_LINE, MANY_LINES = 2_000_000, 20_000
NAMES = (
    "step-", "step-x", "step--0000005", "step-99999999", "step-" + "9" * 40, "step-00000001", "a\nb", "\x1b[2J", "-rf",
    "n" * 250, "\udcff\udcfe", "mia-000001.safetensors", "mia-999999.safetensors", "mia-step00000001.safetensors",
    "mia-000009-00.png", "earlier-1", "earlier-99999999999999999999", ".unfinished-x", "events.jsonl", "ladder.json",
    "manifest.json", "left_out.json", "written.json", "plan.json.bak", "CON", "img.made.txt", "1_mia", ".lock",
    ".lock-trainer", "wandb.json", "demo.json", "edits.jsonl", "grid.json", "picks.jsonl", "held_out.json",
)  # fmt: skip
"""What may lie in a folder of a run, as a file or a folder, though nobody put it there."""


OFTEN = {"state": 8, "log": 4, "images": 8, "grid": 6, "model": 2, "samples": 1, "cache": 1, "exports": 1}
"""How often a kind of file in a folder of the run is bent; those at its top, and others, 4."""
NEWEST_SHARE = 0.7
"""Of files of one kind the last by name is bent so often: a training reads the newest state."""


UNREADABLE = (
    OSError, ValueError, RecursionError, LookupError, TypeError, RuntimeError, EOFError, UnpicklingError,
    SafetensorError,
)  # fmt: skip
"""What reading a file to bend it raises where an earlier bend of the same run left nothing that can be read."""


def malform(run: Path, outside: Outside, rng: random.Random) -> list[str]:
    """Bend a run folder in one to three places; says how, a sentence each."""
    return [_one(run, outside, rng) for _ in range(rng.choice((1, 1, 1, 1, 2, 3)))]


def _one(run: Path, outside: Outside, rng: random.Random) -> str:
    files = [path for path in sorted(run.rglob("*")) if path.is_file() and not path.is_symlink()]
    groups = sorted({_group(run, path) for path in files})
    if not groups:
        return "nothing is left to bend"
    (group,) = rng.choices(groups, [OFTEN.get(group.partition("/")[0], 4) for group in groups])
    of_group = [path for path in files if _group(run, path) == group]
    path = of_group[-1] if rng.random() < NEWEST_SHARE else rng.choice(of_group)
    bends, weights = zip(*_bends(path), strict=True)
    (bend,) = rng.choices(bends, weights)
    told = f"{path.relative_to(run)}, {bend.__name__}"
    try:
        return f"{told}: {bend(path, outside, rng)}"
    except UNREADABLE as error:
        return f"{told}: not possible ({type(error).__name__})"


def _group(run: Path, path: Path) -> str:
    """The folder at the top, and what files are that are read alike."""
    where = path.parent.relative_to(run).parts
    by_name = path.suffix in (".json", ".jsonl", ".toml", ".pt") or not where
    return f"{where[0] if where else ''}/{path.name if by_name else path.suffix}"


def _bends(path: Path) -> list[tuple[Bend, int]]:
    """What may be done to a file, and how often beside the others."""
    of_suffix: dict[str, tuple[Bend, int]] = {
        ".json": (bend_json, 60), ".jsonl": (bend_lines, 60), ".toml": (bend_toml, 60),
        ".safetensors": (bend_header, 30),
    }  # fmt: skip
    found: list[tuple[Bend, int]] = [
        (cut, 6), (emptied, 3), (spoilt, 6), (stuffed, 6), (encoded, 6), (replaced, 8), (linked, 6),
        (folder_replaced, 3),
        (stranger, 6),
    ]  # fmt: skip
    if path.suffix in of_suffix:
        found.append(of_suffix[path.suffix])
    if path.parent.name.startswith("step-"):
        found.append((bend_state, 60))
    if path.name in ("loracle.toml", "ladder.json"):
        found.append((bend_setting, 60))
    return found


def cut(path: Path, _: Outside, rng: random.Random) -> str:
    data = path.read_bytes()
    path.write_bytes(data[: rng.randrange(len(data) + 1)])
    return f"{path.stat().st_size} bytes are left"


def emptied(path: Path, _: Outside, __: random.Random) -> str:
    path.write_bytes(b"")
    return "nothing is left"


def spoilt(path: Path, _: Outside, rng: random.Random) -> str:
    """A few bytes changed or put in."""
    data = bytearray(path.read_bytes())
    places = rng.choice((1, 4, 64))
    for _number in range(places):
        place = rng.randrange(len(data) + 1)
        if rng.random() < 0.5 and place < len(data):
            data[place] = rng.randrange(256)
        else:
            data[place:place] = rng.choice((b"\x00", b"\xff", b"\xed\xa0\x80", b"\n", b"{", rng.randbytes(3)))
    path.write_bytes(bytes(data))
    return f"{places} places"


def stuffed(path: Path, _: Outside, rng: random.Random) -> str:
    """Longer than anybody writes: one line, or very many."""
    data = path.read_bytes()
    first = data.split(b"\n")[0][:200] + b"\n"
    long = [letter * LONG_LINE for letter in (b"a", b"\n", b"\0", b"[")]
    more = rng.choice([*long, first * MANY_LINES, b"{}\n" * MANY_LINES])
    path.write_bytes(rng.choice((data + more, more + data, more)))
    return f"{len(more):,} bytes of {more[:10]!r}"


def encoded(path: Path, _: Outside, rng: random.Random) -> str:
    """As an editor saves it that was not asked."""
    encoding = rng.choice(ENCODINGS)
    path.write_bytes(path.read_bytes().decode("utf-8", "replace").encode(encoding, "replace"))
    return encoding


def replaced(path: Path, _: Outside, rng: random.Random) -> str:
    """Something else in the file's place."""
    path.unlink()
    kind = rng.choice(("nothing", "folder", "pipe", "socket"))
    if kind == "folder":
        (path / "inner").mkdir(parents=True)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with chdir(path.parent), socket.socket(socket.AF_UNIX) as listening:  # an address must be short
            listening.bind(path.name)
    return kind


def linked(path: Path, outside: Outside, rng: random.Random) -> str:
    """A link in the file's place."""
    path.unlink()
    target = _target(path, outside, rng)
    path.symlink_to(target)
    return f"to {target}"


def folder_replaced(path: Path, outside: Outside, rng: random.Random) -> str:
    """The file's folder gone, a file, or a link."""
    folder = path.parent
    if (folder / "loracle.toml").exists():
        raise ValueError("that is the run itself")
    shutil.rmtree(folder)
    act = rng.randrange(4)
    if act == 0:
        return "gone"
    if act == 1:
        folder.write_bytes(b"a file\n")
        return "a file"
    target = _target(folder, outside, rng)
    folder.symlink_to(target)
    return f"to {target}"


def stranger(path: Path, outside: Outside, rng: random.Random) -> str:
    """Something of an odd name beside the file."""
    name = rng.choice(NAMES)
    new, act = path.with_name(name), rng.randrange(4)
    if act == 0:
        new.mkdir()
    elif act == 1:
        new.symlink_to(_target(new, outside, rng))
    elif act == 2:
        os.mkfifo(new)
    else:
        shutil.copy(path, new)
    return f"{name!r} ({('a folder', 'a link', 'a pipe', 'a copy')[act]})"


def _target(path: Path, outside: Outside, rng: random.Random) -> Path:
    within = [".", "..", "loracle.toml", "model", path.name, "nothing-there"]
    without = [outside.file, outside.folder, outside.secret, outside.absent, outside.home, Path("/dev/zero")]
    if rng.random() < 0.3:
        return Path(rng.choice(within))
    target = rng.choice(without)
    return Path(os.path.relpath(target, path.parent)) if rng.random() < 0.3 else target
