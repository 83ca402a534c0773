"""TensorBoard, fed from the same events as everything else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

LOSS_DECAY = 0.98
"""How slowly the smoothed loss follows."""


class TensorBoard:
    """A listener that turns events into curves and pictures under RUN/log."""

    def __init__(self, run: Path) -> None:
        """Begin a new file of TensorBoard's in the run's log folder."""
        from torch.utils.tensorboard import SummaryWriter

        self._run = run
        self._writer = SummaryWriter(str(run / "log"))
        self._smoothed: float | None = None
        self._step = 0

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Take one event."""
        kind = event["event"]
        if kind == "step":
            self._take_step(event)
        elif kind == "validation":
            self._scalar("loss/validation", event["loss"], event["step"])
        elif kind == "sample":
            self._take_sample(event)

    def close(self) -> None:
        """Write what is still waiting."""
        self._writer.close()

    def _take_step(self, event: Mapping[str, Any]) -> None:
        step, loss = event["step"], event["loss"]
        self._step = step
        if loss is not None:
            before = loss if self._smoothed is None else self._smoothed
            self._smoothed = LOSS_DECAY * before + (1 - LOSS_DECAY) * loss
            self._scalar("loss/smoothed", self._smoothed, step)
        self._scalar("loss/step", loss, step)
        self._scalar("learning_rate/unet", event["unet_learning_rate"], step)
        self._scalar("learning_rate/text_encoder", event["text_encoder_learning_rate"], step)
        self._scalar("gradient_norm", event.get("gradient_norm"), step)
        self._scalar("seconds_per_step", event["seconds"], step)
        self._scalar("memory_bytes", event["memory_bytes"], step)

    def _take_sample(self, event: Mapping[str, Any]) -> None:
        with Image.open(self._run / event["path"]) as image:
            pixels = np.asarray(image.convert("RGB"))
        self._writer.add_image(f"samples/{event['prompt'][:60]}", pixels, self._step, dataformats="HWC")

    def _scalar(self, name: str, value: float | None, step: int) -> None:
        if value is not None:
            self._writer.add_scalar(name, value, step)
