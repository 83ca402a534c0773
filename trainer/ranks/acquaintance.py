"""Before the first step the processes of several machines are compared: versions, the run folder, settings, base model.

Each says what it has; the first compares, and all of them end with its words where something differs.
"""

from __future__ import annotations

import json
import platform
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import torch
from torch.distributed import Store  # type: ignore[attr-defined]

from advisor.environment.packages import own_version
from advisor.errors import LoraError, RunError
from advisor.files import file_digest, is_folder, is_there, read_bounded, write_atomically
from advisor.run_folder.layout import RunFolder
from trainer.ranks.machines import POLL_SECONDS, all_have_done, has, wait_until
from trainer.ranks.rendezvous import Rendezvous
from trainer.runtime.addresses import is_loopback
from trainer.runtime.interrupts import Interrupt

SHARED_SECONDS = 10.0
"""So long a file of the first process may take to be seen on shared storage."""
ABOUT, VERDICT, READ = "about", "verdict", "read"

Facts = Mapping[str, str]
"""What a process says of itself, by name."""


def get_acquainted(
    rendezvous: Rendezvous, store: Store, token: str, run: Path, interrupt: Interrupt, *, own_address: str
) -> None:
    """Compare this process with the others; returns once all may begin.

    Args:
        store: of this start of the training alone.
        token: what the first process writes into the run folder, and the others look for there.
        run: a run folder, or its loracle.toml.
        own_address: this machine's, on the way to the first process.

    Raises:
        LoraError: processes differ; each is named with its machine, what was found, and the mend. Or one has not come.
        Interrupted: the user wanted to stop.
    """
    if not rendezvous.is_first:
        _say(store, rendezvous, facts_of(rendezvous, token, run, own_address))
        wait_until(lambda: has(store, [VERDICT]), interrupt, lambda: "The first process has said nothing")
        verdict = store.get(VERDICT).decode()
        store.add(READ, 1)
        if verdict:
            raise RunError(verdict)
        return
    found = RunFolder.given(run)
    write_atomically(found.meeting, token)
    try:
        mine = facts_of(rendezvous, token, run, own_address)
        names = [f"{ABOUT} {rank}" for rank in range(1, rendezvous.world_size)]
        wait_until(lambda: has(store, names), interrupt, lambda: _late(store, names))
        others = [json.loads(store.get(name)) for name in names]
        verdict = "\n".join(told for rank, one in enumerate(others, 1) for told in differences(mine, one, rank))
        store.set(VERDICT, verdict)
        if verdict:
            all_have_done(READ, store, rendezvous)
            raise RunError(verdict)
    finally:
        with suppress(OSError):
            found.meeting.unlink()


def facts_of(rendezvous: Rendezvous, token: str, run: Path, own_address: str) -> Facts:
    """What this process says of itself; what cannot be read is said in its place."""
    facts = {
        "machine": socket.gethostname(),
        "address": own_address,
        "loracle": own_version(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    try:
        folder = RunFolder.given(run)
        facts["folder"] = "" if _is_seen(folder.meeting, token) else "the first process's file is not in it"
        facts["settings"] = file_digest(folder.config)
        if rendezvous.local_rank == 0:  # the others of a machine read the same files
            model = folder.located(folder.read_config()).model
            paths = (model.path, model.vae_path, model.text_encoder_path)
            facts["base model files"] = " ".join(_digest(Path(path)) for path in paths if path)
    except LoraError as error:
        facts["folder"] = str(error)
    except OSError as error:
        facts["folder"] = f"{error.filename}: {error.strerror or error}"
    return facts


def differences(first: Facts, other: Facts, rank: int) -> list[str]:
    """What keeps a process from training with the first one, a sentence each, with its mend.

    Args:
        rank: the other one's.
    """
    who = f"Process {rank} on {other['machine']}"
    told = [
        f"{who} has {name} {other[name]}, the first one, on {first['machine']}, {first[name]}: install the same"
        for name in ("loracle", "torch")
        if other[name] != first[name]
    ]
    if python(first) != python(other):
        told.append(f"{who} runs Python {other['python']}, the first one {first['python']}: take the same")
    if other["machine"] != first["machine"] and (is_loopback(first["address"]) or is_loopback(other["address"])):
        told.append(
            f"{who} cannot be reached from {first['machine']}: MASTER_ADDR leads one of them to itself; give an "
            "address of the first machine that both know it by"
        )
    if other["folder"]:
        mend = "keep the run on storage that all machines share, under the same path"
        return [*told, f"{who} does not see the first one's run folder ({other['folder']}): {mend}"]
    for name, mend in (
        ("settings", "give all of them the same loracle.toml"),
        ("base model files", "copy the first machine's files there, or keep them on shared storage"),
    ):
        if name in other and other[name] != first.get(name):
            told.append(f"{who} has other {name} than the first one, on {first['machine']}: {mend}")
    return told


def python(facts: Facts) -> list[str]:
    """The parts of Python's version that must be the same: what is pickled crosses between them."""
    return facts["python"].split(".")[:2]


def _say(store: Store, rendezvous: Rendezvous, facts: Facts) -> None:
    store.set(f"{ABOUT} {rendezvous.rank}", json.dumps(facts))


def _late(store: Store, names: list[str]) -> str:
    missing = ", ".join(name.removeprefix(f"{ABOUT} ") for name in names if not has(store, [name]))
    return f"Of the processes that train this run together these have not come: {missing}. Start them, or see why"


def _is_seen(path: Path, token: str) -> bool:
    """Whether the first process's file is there, at once or as soon as shared storage shows it."""
    deadline = time.monotonic() + SHARED_SECONDS
    while True:
        with suppress(OSError):
            if is_there(path) and read_bounded(path, len(token) + 1).decode(errors="replace") == token:
                return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)


def _digest(path: Path) -> str:
    """A hash of a file, or of all files of a folder with their names."""
    if not is_folder(path):
        return file_digest(path)
    files = sorted(one for one in path.rglob("*.*") if not is_folder(one))
    return sha256(
        "".join(f"{one.relative_to(path).as_posix()} {file_digest(one)}\n" for one in files).encode()
    ).hexdigest()
