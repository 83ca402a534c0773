"""LoRAs that an earlier training left in the run folder: each keeps its weights, under another name where need be."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from math import ceil
from pathlib import Path

from advisor.errors import ModelError, RunError
from advisor.files import PIECE_BYTES, open_regular
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.record import MOST_COUNT
from advisor.run_folder.written import WrittenFiles
from advisor.tensor_files.header import Header, read_header
from trainer.lora_files.diffusers_copy import copy_name

ReportMove = Callable[[str, str], None]
"""Takes a LoRA's old and new path within the run."""


@dataclass
class EarlierLoras:
    """Moves LoRAs out of the way of a training; none is ever deleted or overwritten here."""

    run: RunFolder
    name: str
    """The setting `saving.name`."""
    moved: ReportMove
    """Called after each move, with paths within the run; a copy in diffusers' names goes with its LoRA unsaid."""
    _folder: Path | None = field(default=None, init=False)
    """Of what has no name of its own beside the new LoRAs; chosen when first needed."""

    def make_way_for_longer(self, steps: int) -> None:
        """Give the LoRA that ended a training of fewer than `steps` steps the name of its epoch, or of its step.

        It keeps its name where that other name is taken; the new training's last LoRA then moves it.

        Raises:
            RunError: it cannot be renamed.
        """
        last = self.run.lora(self.name)
        made = _saved_at(last)
        if made is not None and made.step < steps:
            target = self._own_name(made)
            if not os.path.lexists(target):
                self._move_with_copy(last, target)

    def make_way_for_new(self) -> None:
        """Move all LoRAs of this name into a folder of their own: a training begins anew.

        Raises:
            RunError: one cannot be moved.
        """
        for path in sorted(self.run.loras(self.name)):
            self._move_with_copy(path, self._set_aside() / path.name)

    def make_way_at(self, path: Path, content: bytes) -> None:
        """Move what is at `path`, and its copy, unless it has the weights of `content`, a LoRA file to be put there.

        It is moved nevertheless where somebody may have changed its metadata.

        Raises:
            RunError: it cannot be moved.
        """
        if not os.path.lexists(path):
            return
        if _same_weights(path, content) and WrittenFiles(self.run.path).is_as_written(path, "lora"):
            return
        made = _saved_at(path) if path == self.run.lora(self.name) else None
        target = None if made is None else self._own_name(made)
        if target is None or os.path.lexists(target):
            target = self._set_aside() / path.name
        self._move_with_copy(path, target)

    def _own_name(self, made: _SavedAt) -> Path:
        if made.is_whole_epoch:
            return self.run.lora_of_epoch(self.name, made.epoch)
        return self.run.lora_of_step(self.name, made.step)

    def _set_aside(self) -> Path:
        if self._folder is None:
            numbered = (self.run.earlier_loras(number) for number in count(1))
            self._folder = next(folder for folder in numbered if not os.path.lexists(folder))
        return self._folder

    def _move_with_copy(self, path: Path, target: Path) -> None:
        """Move the copy first: where only that is done, the next start finishes the rest."""
        copy, copy_target = (one.with_name(copy_name(one.name)) for one in (path, target))
        if os.path.lexists(copy) and not os.path.lexists(copy_target):
            self._move(copy, copy_target)
        self._move(path, target)
        self.moved(self.run.within(path), self.run.within(target))

    def _move(self, path: Path, target: Path) -> None:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
        except OSError as error:
            raise RunError(
                f"{path} is a LoRA of an earlier training and would be overwritten; it cannot be renamed to {target}: "
                f"{error.strerror or error}: move it away, or give yourself the right"
            ) from error
        WrittenFiles(self.run.path).note_move(path, target)


@dataclass(frozen=True)
class _SavedAt:
    """Where in its training a LoRA was saved, by its metadata."""

    step: int
    epoch: int
    is_whole_epoch: bool


def _saved_at(path: Path) -> _SavedAt | None:
    """None where there is no such file, or its metadata do not say."""
    with suppress(ModelError, OSError, ValueError, KeyError):
        found = read_header(path).metadata
        step, epoch = int(found["ss_steps"]), int(found["ss_epoch"])
        batches, together = int(found["ss_num_batches_per_epoch"]), int(found["ss_gradient_accumulation_steps"])
        if all(0 < one <= MOST_COUNT for one in (step, epoch, batches, together)):
            return _SavedAt(step, epoch, step == epoch * ceil(batches / together))
    return None


def _same_weights(path: Path, content: bytes) -> bool:
    """Whether a file holds the tensors that `content` does, whatever their metadata say."""
    with suppress(ModelError, OSError):
        header = read_header(path)
        start = 8 + int.from_bytes(content[:8], "little")
        if header.file_bytes - header.data_start == len(content) - start:
            return _hash_of_weights(path, header) == sha256(memoryview(content)[start:]).digest()
    return False


def _hash_of_weights(path: Path, header: Header) -> bytes:
    found = sha256()
    with open_regular(path) as file:
        file.seek(header.data_start)
        while piece := file.read(PIECE_BYTES):
            found.update(piece)
    return found.digest()
