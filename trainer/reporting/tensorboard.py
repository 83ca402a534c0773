"""TensorBoard, fed from the same events as everything else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from advisor.dataset.picture_file import opened_picture
from advisor.run_folder.events import AnyEvent, SampleDrawn
from advisor.run_folder.layout import RunFolder
from trainer.reporting.curves import Curves, sample_title


class TensorBoard:
    """A listener that turns events into curves and images in the run's log folder."""

    def __init__(self, run: Path) -> None:
        """Begin a new file of TensorBoard's in the run's log folder."""
        self._run = run
        self._writer = SummaryWriter(str(RunFolder(run).log))
        self._curves = Curves()

    def __call__(self, event: AnyEvent) -> None:
        """Take one event."""
        for name, value in self._curves.of(event).items():
            self._writer.add_scalar(name, value, self._curves.step)
        if isinstance(event, SampleDrawn):
            self._take_sample(event)

    def close(self) -> None:
        """Write what is still waiting."""
        self._writer.close()

    def _take_sample(self, event: SampleDrawn) -> None:
        with opened_picture(self._run / event.path) as image:
            pixels = np.asarray(image.convert("RGB"))
        self._writer.add_image(sample_title(event), pixels, self._curves.step, dataformats="HWC")
