"""All that is needed to go on with a training as if it had never stopped.

Each state is a folder of its own, complete before it gets its name; a damaged one is found by the checksums in its
manifest. The newest two are kept. Randomness needs no state: it is seeded by the step (`trainer.seeds`).
"""

from __future__ import annotations

import io
import json
import math
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor
from torch.utils._pytree import tree_leaves

from advisor.errors import RunError
from advisor.estimate.disk import STATES_KEPT
from advisor.files import is_there, mend_of_writing, read_bounded, write_atomically
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.paths import STATE_FILES
from advisor.run_folder.state_manifest import (
    OPTIMIZER_NAME,
    STATE_MANIFEST_NAME,
    WEIGHTS_NAME,
    FileEntry,
    Position,
    StateFiles,
    StateManifest,
    read_manifest,
)
from advisor.tensor_files.archive import refuse_packed
from advisor.units import gib
from trainer.runtime.disk_space import write_with_room
from trainer.runtime.free_memory import free_memory_bytes

MOST_STATE_BYTES = 64 * 1024**3
"""No adapters' weights and optimizer state are larger."""
HEADERS_BYTES = 1024 * 1024
"""Room for what a state holds beside its tensors."""
UNFINISHED = ".unfinished-"
"""What the name of a folder begins with until it is complete."""


@dataclass(frozen=True)
class State:
    """A training at one moment."""

    position: Position
    weights: Mapping[str, Tensor]
    """The adapters, float32."""
    optimizer: Mapping[str, Any] | None
    scaler: Mapping[str, Any] | None
    config_hash: str
    seconds: float
    """How long it had trained."""
    optimizer_kind: str | None = None
    """The optimizer's class; None: not known, or there was none."""
    epochs: int | None = None
    """How many the training was to have; None: not known."""
    compute_dtype: str | None = None
    """What it was computed in, by its name in `memory.compute_dtype`; None: not known."""


class States:
    """The states of one run."""

    def __init__(self, run: Path) -> None:
        """Keep them below `run`."""
        self._run = RunFolder(run)
        self.damaged: list[str] = []
        """Names of states that `newest` had to pass over."""

    def any(self) -> bool:
        """Whether there is something to go on from."""
        return bool(self._names())

    def newest(self) -> State | None:
        """The newest state that is whole; None where there is none.

        Raises:
            RunError: there are states, but none is whole.
        """
        names = self._names()
        for name in reversed(names):
            state = self._read(self._run.state / name)
            if state is not None:
                return state
            self.damaged.append(name)
        if names:
            raise RunError(
                f"No state in {self._run.state} is whole, so there is nothing to go on from: delete that folder and "
                "start again; the LoRAs in the run's model folder stay"
            )
        return None

    def write(self, state: State) -> None:
        """Keep a state, and of the older ones only the newest.

        Raises:
            RunError: it cannot be written; those before it are still there.
        """
        target = self._run.state_of_step(state.position.step)
        write_with_room(target, _bytes_of(state), lambda: self._write(target, state))
        for name in self._names()[:-STATES_KEPT]:
            _remove(self._run.state / name)

    def _write(self, target: Path, state: State) -> None:
        try:
            self._run.state.mkdir(parents=True, exist_ok=True)
            self._remove_unfinished()
            made = Path(mkdtemp(dir=self._run.state, prefix=UNFINISHED))
            try:
                _write_into(made, state)
                if is_there(target):
                    _make_way(target)
                made.replace(target)
            finally:
                shutil.rmtree(made, ignore_errors=True)
        except OSError as error:
            raise RunError(f"{target} cannot be written: {error.strerror}: {mend_of_writing(error)}") from error

    def _names(self) -> list[str]:
        return [path.name for path in self._run.states()]

    def _remove_unfinished(self) -> None:
        for path in self._run.state.glob(f"{UNFINISHED}*"):
            _remove(path)

    def _read(self, folder: Path) -> State | None:
        manifest = read_manifest(folder)
        if manifest is None or not _has_files_of(folder, manifest.files):
            return None
        _refuse_beyond_memory(folder, manifest.files)
        try:
            weights = _content(folder / WEIGHTS_NAME, manifest.files.weights)
            others = _content(folder / OPTIMIZER_NAME, manifest.files.optimizer)
            optimizer, scaler = _optimizer_and_scaler(others)
            return State(
                position=manifest.position,
                weights=load(weights),
                optimizer=optimizer,
                scaler=scaler,
                config_hash=manifest.config_hash,
                seconds=manifest.seconds,
                optimizer_kind=manifest.optimizer_kind,
                epochs=manifest.epochs,
                compute_dtype=manifest.compute_dtype,
            )
        except Exception:  # what comes of bytes that torch did not write can be any
            return None


def _has_files_of(folder: Path, files: StateFiles) -> bool:
    """Whether its files are as long as its manifest says, and no longer than any: else none of them is read."""
    entries = ((WEIGHTS_NAME, files.weights), (OPTIMIZER_NAME, files.optimizer))
    try:
        return all((folder / name).stat().st_size == entry.num_bytes <= MOST_STATE_BYTES for name, entry in entries)
    except OSError:
        return False


def _refuse_beyond_memory(folder: Path, files: StateFiles) -> None:
    """Refuse a state that cannot be read here, such as one of files that are long and hold nothing.

    Raises:
        RunError: it has more bytes than memory is free.
    """
    wanted, free = files.weights.num_bytes + files.optimizer.num_bytes, free_memory_bytes()
    if wanted > free:
        raise RunError(
            f"The state {folder} has {gib(wanted)}, and {gib(free)} of memory are free: close other programs, or "
            "delete that folder if no training of yours has made it"
        )


def _content(path: Path, entry: FileEntry) -> bytes:
    """What is in a file of a state.

    Raises:
        OSError: it cannot be read.
        ValueError: it is another file than the manifest says.
    """
    content = read_bounded(path, entry.num_bytes)
    if _entry(content) != entry:
        raise ValueError(f"{path} has another checksum")
    return content


def _optimizer_and_scaler(content: bytes) -> tuple[dict[str, Any] | None, dict[str, float] | None]:
    """What optimizer and gradient scaler remembered; no code in the file is run.

    Raises:
        Exception: of any kind; it holds something else.
    """
    refuse_packed(io.BytesIO(content))
    found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    optimizer, scaler = found["optimizer"], found["scaler"]
    if any(isinstance(one, Tensor) and one.nbytes > len(content) for one in tree_leaves(optimizer)):
        raise ValueError("a tensor is larger than its file")  # one that repeats itself, until somebody copies it
    if not isinstance(optimizer, dict | None) or not isinstance(scaler, dict | None):
        raise TypeError("no dict where optimizer or scaler should be")
    if scaler is not None and not all(type(one) in (int, float) and math.isfinite(one) for one in scaler.values()):
        raise TypeError("a scaler holds numbers")
    return optimizer, scaler


def _write_into(folder: Path, state: State) -> None:
    others = io.BytesIO()
    torch.save({"optimizer": state.optimizer, "scaler": state.scaler}, others)
    weights = save({name: tensor.detach().cpu().contiguous() for name, tensor in state.weights.items()})
    for name, content in ((WEIGHTS_NAME, weights), (OPTIMIZER_NAME, others.getvalue())):
        write_atomically(folder / name, content)
    manifest = StateManifest(
        position=state.position,
        config_hash=state.config_hash,
        seconds=state.seconds,
        optimizer_kind=state.optimizer_kind,
        epochs=state.epochs,
        compute_dtype=state.compute_dtype,
        files=StateFiles(weights=_entry(weights), optimizer=_entry(others.getvalue())),
    )
    write_atomically(folder / STATE_MANIFEST_NAME, json.dumps(manifest.model_dump(by_alias=True), indent=1) + "\n")


def _bytes_of(state: State) -> int:
    """About as many as its files will take."""
    tensors = [one for one in tree_leaves([dict(state.weights), state.optimizer]) if isinstance(one, Tensor)]
    return sum(tensor.nbytes for tensor in tensors) + HEADERS_BYTES


def _entry(content: bytes) -> FileEntry:
    return FileEntry(num_bytes=len(content), sha256=sha256(content).hexdigest())


def _remove(folder: Path) -> None:
    """Remove a state; its manifest first, so that a half removed one does not look whole. The user's files stay."""
    with suppress(OSError):
        half = [path for name in STATE_FILES for path in folder.glob(f".{name}.*.part")]
        for path in (*(folder / name for name in STATE_FILES), *half):
            path.unlink(missing_ok=True)
        folder.rmdir()


def _make_way(target: Path) -> None:
    """Remove a state that is to be written anew; what the user put beside it gets a name of its own.

    Raises:
        OSError: it cannot be moved away.
    """
    _remove(target)
    if is_there(target):
        names = (target.with_name(f"{target.name}.bak{number or ''}") for number in count())
        target.rename(next(name for name in names if not os.path.lexists(name)))
