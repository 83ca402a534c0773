"""What a report tells of a plan beside its settings: what it expected, the pictures, the base model, the machine.

These parts of plan.json decide nothing, so that each is read by itself, and one that is damaged or of another version
is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import Field, ValidationError

from advisor.run_folder.record import Count, Number, Record, Text

R = TypeVar("R", bound=Record)


class Expected(Record):
    """What the plan expected the training to take; 0 and None: not known."""

    vram_bytes: Count = 0
    """Of the card, or of the process on a processor."""
    allocated_bytes: Count = 0
    reserved_bytes: Count = 0
    steps: Count = 0
    epochs: Count = 0
    seconds: Number = None
    seconds_low: Number = None
    seconds_high: Number = None
    seconds_per_step: Number = None
    lora_bytes: Count = 0
    disk_bytes: Count = 0
    exposures_per_picture: Number = None


class Bucket(Record):
    """A size that images are trained at."""

    width_px: Count
    height_px: Count
    exposures: Count = 0
    """Of its images in an epoch, repeats included."""


class Images(Record):
    """The images that the run was planned for."""

    root: Text = ""
    num_images: Count = 0
    num_captioned: Count = 0
    num_with_trigger: Count = 0
    captions_are_tags: bool = False
    buckets: tuple[Bucket, ...] = Field((), max_length=10_000)
    num_problems: Count = 0


class Base(Record):
    """The base model."""

    path: Text = ""
    family: Text | None = None
    lineage: Text | None = None
    prediction: Text | None = None


class Card(Record):
    """The card that the run was planned for."""

    name: Text = ""


class Machine(Record):
    """The machine that the run was planned for."""

    cpu_name: Text = ""
    gpu: Card | None = None


class Outline(Record):
    """The parts of a plan that are told; None: not there, or damaged."""

    expected: Expected | None = None
    images: Images | None = None
    base: Base | None = None
    machine: Machine | None = None


def outline(document: Mapping[str, Any]) -> Outline:
    """The outline of a plan's document."""
    return Outline(
        expected=_part(document, "estimate", Expected),
        images=_part(document, "dataset", Images),
        base=_part(document, "model", Base),
        machine=_part(document, "hardware", Machine),
    )


def _part(document: Mapping[str, Any], name: str, kind: type[R]) -> R | None:
    try:
        return kind.model_validate(document.get(name))
    except ValidationError:
        return None
