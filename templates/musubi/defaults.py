"""What musubi-tuner does where a file says nothing: its argument parser and the defaults of its data sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from templates.kohya.defaults import SCRIPTS_DEFAULTS

_OWN: Mapping[str, Any] = {
    "dataset.resolution_px": 704, "dataset.min_bucket_px": 704, "dataset.max_bucket_px": 704,
    "dataset.bucket_step_px": 16, "dataset.caption_lines": "joined",
    "optimizer.text_encoder_learning_rate": 0.0,
    "loss.huber_schedule": "constant",
    "memory.cache_latents": True, "memory.cache_text": True,
    "saving.layer_names": "kohya",
}  # fmt: skip

DEFAULTS: Mapping[str, Any] = {**SCRIPTS_DEFAULTS, **_OWN}
"""Pictures of 960 x 544 and no buckets, unless a data set says otherwise: 704 is the square nearest to that."""
