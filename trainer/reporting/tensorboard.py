"""TensorBoard, fed from the same events as everything else."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard.summary import image, scalar

from advisor.dataset.picture_file import opened_picture
from advisor.files import open_to_append
from advisor.run_folder.events import AnyEvent, SampleDrawn
from advisor.run_folder.layout import RunFolder
from trainer.reporting.curves import Curves, sample_title

VERSION = "brain.Event:2"
"""Of the format, in the first record of each file."""


class TensorBoard:
    """A listener that turns events into curves and images in the run's log folder.

    Its file is kept open and written at once: torch's own writer opens it by its path for each write, which would be in
    another folder once the run was moved.
    """

    def __init__(self, run: Path) -> None:
        """Begin a new file of TensorBoard's in the run's log folder."""
        self._run = run
        log = RunFolder(run).log
        log.mkdir(parents=True, exist_ok=True)
        began, host = time.time(), platform.node().replace(os.sep, "_")[:64]
        self._file = open_to_append(log / f"events.out.tfevents.{began:.6f}.{host}.{os.getpid()}")
        self._records = RecordWriter(self._file)
        self._curves = Curves()
        self._write(Event(wall_time=began, file_version=VERSION))

    def __call__(self, event: AnyEvent) -> None:
        """Take one event."""
        for name, value in self._curves.of(event).items():
            self._add(scalar(name, value))  # type: ignore[no-untyped-call]
        if isinstance(event, SampleDrawn):
            self._take_sample(event)

    def close(self) -> None:
        """End the file."""
        self._file.close()

    def _take_sample(self, event: SampleDrawn) -> None:
        with opened_picture(self._run / event.path) as drawn:
            pixels = np.asarray(drawn.convert("RGB"))
        title = sample_title(event)
        self._add(image(title, pixels, dataformats="HWC"))  # type: ignore[no-untyped-call]

    def _add(self, summary: Summary) -> None:
        self._write(Event(wall_time=time.time(), step=self._curves.step, summary=summary))

    def _write(self, event: Event) -> None:
        self._records.write(event.SerializeToString())
