"""TensorBoard, fed from the same events as everything else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from advisor.dataset.picture_file import opened_picture
from trainer.reporting.curves import Curves, picture_name


class TensorBoard:
    """A listener that turns events into curves and pictures under RUN/log."""

    def __init__(self, run: Path) -> None:
        """Begin a new file of TensorBoard's in the run's log folder."""
        from torch.utils.tensorboard import SummaryWriter

        self._run = run
        self._writer = SummaryWriter(str(run / "log"))
        self._curves = Curves()

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Take one event."""
        for name, value in self._curves.of(event).items():
            self._writer.add_scalar(name, value, self._curves.step)
        if event["event"] == "sample":
            self._take_sample(event)

    def close(self) -> None:
        """Write what is still waiting."""
        self._writer.close()

    def _take_sample(self, event: Mapping[str, Any]) -> None:
        with opened_picture(self._run / event["path"]) as image:
            pixels = np.asarray(image.convert("RGB"))
        self._writer.add_image(picture_name(event), pixels, self._curves.step, dataformats="HWC")
