"""LoRA files: whole or not at all, of exactly the planned size."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from math import ceil
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from advisor.errors import RunError, TrainingStopped
from advisor.files import is_protected, write_atomically
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.saved_loras import oldest_first
from advisor.run_folder.written import Written, WrittenFiles
from advisor.settings.config import SavingConfig
from trainer.lora_files.diffusers_copy import DiffusersCopy, copy_name
from trainer.lora_files.earlier import EarlierLoras, ReportMove
from trainer.lora_files.model_hashes import LEGACY_END, LEGACY_START
from trainer.lora_files.original_names import original_state
from trainer.runtime.disk_space import write_with_room

LENGTH_BYTES = 8
"""A safetensors file begins with its header's length."""
ALIGNMENT = 8
"""Weights begin at a multiple of this."""


def lora_file(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], *, header_bytes: int = 0) -> bytes:
    """A safetensors file with the hashes that other programs look for.

    Args:
        metadata: without the hashes.
        header_bytes: the file's bytes before its weights; a shorter header is filled up with blanks.
    """
    plain = {name: tensor.contiguous() for name, tensor in tensors.items()}
    of_training = {name: value for name, value in metadata.items() if name.startswith("ss_")}
    hashed = save(plain, of_training)
    hashes = {
        "sshs_model_hash": sha256(hashed[_data_start(hashed) :]).hexdigest(),
        "sshs_legacy_hash": sha256(hashed[LEGACY_START:LEGACY_END]).hexdigest()[:8],
    }
    return _padded(save(plain, {**metadata, **hashes}), header_bytes)


class LoraFiles:
    """The LoRAs that a run leaves."""

    def __init__(
        self,
        run: Path,
        config: SavingConfig,
        header_bytes: int,
        copy: DiffusersCopy | None = None,
        *,
        original: Mapping[str, str] | None = None,
        moved: ReportMove = lambda *_: None,
    ) -> None:
        """Write them below `run`, each also in diffusers' names where `copy` says how.

        Args:
            original: the layers' names in the files by kohya's; None: kohya's.
            moved: called after each LoRA of an earlier training that was renamed so as not to be overwritten.
        """
        self._run, self._config, self._header_bytes, self._copy = RunFolder(run), config, header_bytes, copy
        self._original, self._written = original, WrittenFiles(run)
        self._earlier = EarlierLoras(self._run, config.name, moved)

    @property
    def name(self) -> str:
        """The last LoRA's path within the run."""
        return self._run.within(self._run.lora(self._config.name))

    @property
    def takes_scaled(self) -> bool:
        """Whether states have to have alpha / rank in the weights (`Network.lora_state`)."""
        return self._original is not None

    def epoch_name(self, epoch: int) -> str:
        """The path of the LoRA after an epoch, counted from 1."""
        return self._run.within(self._run.lora_of_epoch(self._config.name, epoch))

    def step_name(self, step: int) -> str:
        """The path of the LoRA after a step."""
        return self._run.within(self._run.lora_of_step(self._config.name, step))

    def make_way(self, *, steps: int, resumed: bool) -> None:
        """Rename what this training would overwrite or count as its own; called before its first step.

        Args:
            steps: of the whole training.
            resumed: it goes on from a state; else all LoRAs that are there are another training's.

        Raises:
            RunError: a file cannot be renamed.
        """
        if resumed:
            self._earlier.make_way_for_longer(steps)
            self.remove_old()
        else:
            self._earlier.make_way_for_new()

    def write(self, name: str, state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Path:
        """Put a LoRA at `name`, a path within the run, and its copy beside it; other weights there are moved away.

        Args:
            state: in kohya's names (`Network.lora_state`).

        Raises:
            TrainingStopped: a weight is not finite, so that the file would be worth nothing.
            RunError: it cannot be written.
        """
        named = state if self._original is None else original_state(state, self._original)
        path = self._put(name, named, metadata, self._header_bytes)
        if self._copy is not None:
            described = self._copy.metadata(metadata)
            self._put(copy_name(name), self._copy.state(state), described, self._copy.header_bytes)
        return path

    def _put(self, name: str, state: Mapping[str, Tensor], metadata: Mapping[str, str], header_bytes: int) -> Path:
        bad = next((key for key, tensor in state.items() if not bool(torch.isfinite(tensor).all())), None)
        if bad is not None:
            dtype = next(iter(state.values())).dtype
            raise TrainingStopped(
                f"{name} is not saved, because its weight {bad} is no finite number in {dtype}: lower the learning "
                "rates, or save in bfloat16 or float32 (saving.dtype)"
            )
        path = self._run.path / name
        content = lora_file(state, metadata, header_bytes=header_bytes)
        self._earlier.make_way_at(path, content)
        self._written.note({path: Written.of(content, "lora")})
        write_with_room(path, len(content), lambda: write_atomically(path, content))
        return path

    def existing(self) -> list[Path]:
        """All that were written, oldest first."""
        return oldest_first(self._run.loras(self._config.name))

    def remove_old(self) -> None:
        """Keep the newest of those between, if only so many are wanted; the last LoRA always stays, and so does what is
        not as it was written here, e.g. another run's LoRA at the name of one, and what somebody protected.
        """
        if not self._config.keep_last:
            return
        between = oldest_first(filter(self._is_as_written, self._run.loras(self._config.name, with_last=False)))
        for path in between[: -self._config.keep_last]:
            copy = path.with_name(copy_name(path.name))
            for old in (path, copy) if self._copy and self._is_as_written(copy) else (path,):
                if not is_protected(old):
                    with suppress(OSError):
                        old.unlink(missing_ok=True)

    def _is_as_written(self, path: Path) -> bool:
        with suppress(RunError, OSError):
            return bool(self._written.is_as_written(path, "lora"))
        return False


def _data_start(file: bytes) -> int:
    return LENGTH_BYTES + int.from_bytes(file[:LENGTH_BYTES], "little")


def _padded(file: bytes, header_bytes: int) -> bytes:
    """The same file with its metadata in order (safetensors shuffles it) and its header filled up."""
    start = _data_start(file)
    header = json.loads(file[LENGTH_BYTES:start])
    metadata = dict(sorted(header.pop("__metadata__").items()))
    text = json.dumps({"__metadata__": metadata, **header}, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    length = max(ceil(len(text) / ALIGNMENT) * ALIGNMENT, header_bytes - LENGTH_BYTES)
    return length.to_bytes(LENGTH_BYTES, "little") + text.ljust(length) + file[start:]
