"""plan.json read again: what was planned, what the user chose of it, and what the memory ladder made of it later.

The document holds more than is read here (hardware, dataset, model, estimate, an import's lines) and is written back as
it was but for what is changed, so that no field of another version is lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import Field, ValidationError
from pydantic_core import to_jsonable_python

from advisor.errors import RunError
from advisor.files import is_there, read_bounded
from advisor.json_text import Malformed, parse_json
from advisor.machine.hardware import Gpu, Vendor
from advisor.plan import CHOSEN_ORIGINS
from advisor.run_folder.ladder_file import Taken
from advisor.run_folder.record import Count, Number, Record, Text, places_told
from advisor.settings.config import ABSOLUTE_PATHS, TrainingConfig
from advisor.units import GIB, MIB

MOST_PLAN_BYTES = 64 * MIB
"""No honest plan is larger."""
MOST_GPU_BYTES = 1024 * GIB
"""No card has more memory."""


class RecordedSource(Record):
    """Where a decision comes from."""

    title: Text = ""
    url: Text = ""
    says: Text = ""


class RecordedDecision(Record):
    """A setting's value with its reason."""

    path: Text
    value: Any = None
    reason: Text = ""
    origin: Text = ""
    source: RecordedSource = RecordedSource()
    planned: Any = None
    """The plan's value, where the ladder or a measurement put another in its place."""
    planned_origin: Text | None = None

    @property
    def first_value(self) -> Any:
        """The plan's value, whatever was put in its place."""
        return self.planned if "planned" in self.model_fields_set else self.value

    @property
    def first_origin(self) -> str | None:
        """The origin of the plan's value."""
        return self.planned_origin if "planned_origin" in self.model_fields_set else self.origin


class RecordedWarning(Record):
    """What the plan warned of."""

    code: Text = ""
    message: Text = ""


class RecordedEstimate(Record):
    """What the plan expected the run to need."""

    disk_bytes: Count | None = None


class RecordedSaving(Record):
    """How LoRAs are saved."""

    name: Text = ""


class RecordedRun(Record):
    """What the run is for."""

    trigger: Text = ""


class RecordedConfig(Record):
    """The few of the planned settings that are read here; training reads loracle.toml."""

    saving: RecordedSaving = RecordedSaving()
    run: RecordedRun = RecordedRun()


class RecordedGpu(Record):
    """The card that the run was planned for."""

    name: Text = ""
    total_bytes: int = Field(default=0, ge=0, le=MOST_GPU_BYTES)
    free_bytes: int = Field(default=0, ge=0, le=MOST_GPU_BYTES)
    compute_capability: tuple[Count, Count] | None = None
    vendor: Text = "nvidia"
    uuid: Text = ""
    cuda_cores: Count | None = None
    max_clock_mhz: Count | None = None
    memory_bytes_per_second: Number = None
    power_limit_watts: Number = None
    is_kind_assumed: bool = False

    def as_gpu(self) -> Gpu:
        """The card, as it was found or imagined then; of a vendor that nobody knows it is taken for NVIDIA's."""
        vendor = next((known for known in get_args(Vendor) if known == self.vendor), "nvidia")
        return Gpu(**{**self.model_dump(), "vendor": vendor})


class RecordedHardware(Record):
    """The machine that the run was planned for."""

    gpu: RecordedGpu | None = None


class RecordedDataset(Record):
    """The pictures that the run was planned for."""

    root: Text = ""
    images: tuple[Text, ...] = ()
    """Relative to the root."""


class PlanFields(Record):
    """The document as far as it is read."""

    config: RecordedConfig = RecordedConfig()
    decisions: tuple[RecordedDecision, ...] = ()
    warnings: tuple[RecordedWarning, ...] = ()
    estimate: RecordedEstimate | None = None
    ladder: tuple[dict[str, Any], ...] = ()
    """The rungs that were taken since."""
    hardware: RecordedHardware | None = None
    dataset: RecordedDataset | None = None


@dataclass(frozen=True)
class PlanRecord:
    """plan.json: its fields, and the whole document as it was read."""

    document: Mapping[str, Any]
    fields: PlanFields

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> PlanRecord:
        """The record that a document holds.

        Raises:
            ValidationError: it is no plan.
        """
        return cls(document, PlanFields.model_validate(document))

    def chosen_paths(self, now: Mapping[str, Any]) -> frozenset[str]:
        """Settings that the user chose: in the plan, or later by changing `loracle.toml`.

        Args:
            now: the settings of loracle.toml by path.
        """
        return frozenset(
            decision.path
            for decision in self.fields.decisions
            if decision.path in now
            and (decision.first_origin in CHOSEN_ORIGINS or _changed_by_hand(decision, now[decision.path]))
        )

    def imported_paths(self) -> frozenset[str]:
        """Settings that came from another trainer's file."""
        return frozenset(decision.path for decision in self.fields.decisions if decision.origin == "import")

    def with_rung(self, taken: Taken, *, why: str = "memory ran out") -> PlanRecord:
        """The record with a rung in it: the decision has the new value and keeps the plan's as `planned`.

        Args:
            why: what the reason begins with.
        """
        decisions = [
            _changed(entry, decision, taken, why) if decision.path in taken.after else entry
            for entry, decision in zip(self.document.get("decisions", ()), self.fields.decisions, strict=True)
        ]
        ladder = [*self.fields.ladder, taken.model_dump()]
        return PlanRecord.of({**self.document, "decisions": decisions, "ladder": ladder})

    def with_config(self, config: TrainingConfig) -> PlanRecord:
        """The record with other settings; its decisions stay as they are."""
        return PlanRecord.of({**self.document, "config": config.model_dump(mode="json")})


def read_plan(path: Path) -> PlanRecord:
    """The record in a file.

    Raises:
        RunError: there is none, or it is damaged; the place in the file is named.
    """
    try:
        return PlanRecord.of(_document(read_bounded(path, MOST_PLAN_BYTES)))
    except OSError as error:
        if not is_there(path.parent):
            raise RunError(f"{path.parent} does not exist: give a run folder") from None
        raise RunError(
            f"{path.parent} has no {path.name} to read ({error.strerror or error}): is it a run folder?"
        ) from None
    except ValidationError as error:
        raise RunError(f"{path} is damaged ({places_told(error)}): plan the run again") from None
    except Malformed as error:
        raise RunError(f"{path} is damaged ({error}): plan the run again") from None


def _document(content: bytes) -> Any:
    return parse_json(content, half_characters=True)


def was_written(content: bytes) -> bool:
    """Whether Loracle wrote these bytes as a plan: its form, and one value for each setting throughout.

    It is for runs without digests; an edit that keeps to both is not seen.
    """
    try:
        document = _document(content)
        record = PlanRecord.of(document)
        config = document["config"]
        return plan_text(document).encode("utf-8") == content and all(
            _plain(config, decision.path) in (decision.value, decision.first_value)
            for decision in record.fields.decisions
        )
    except (ValueError, KeyError, TypeError):
        return False


def _plain(config: Mapping[str, Any], path: str) -> Any:
    group, _, name = path.partition(".")
    return config[group][name]


def plan_text(document: Mapping[str, Any]) -> str:
    """The text of plan.json.

    Text beyond ASCII is written raw, but for the halves of characters that file names in an old encoding become.
    """
    text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half.group()):04x}", text)


def _changed(entry: Mapping[str, Any], decision: RecordedDecision, taken: Taken, why: str) -> dict[str, Any]:
    """A decision as the document has it, with a rung's value."""
    return {
        **entry,
        "value": taken.after[decision.path],
        "reason": f"{why}: {taken.message}",
        "origin": "ladder",
        "planned": decision.first_value,
        "planned_origin": decision.first_origin,
    }


def _changed_by_hand(decision: RecordedDecision, now: Any) -> bool:
    """Whether neither the plan nor the ladder has set it so; where a folder is carried to, its own paths change."""
    return decision.path not in ABSOLUTE_PATHS and to_jsonable_python(now) not in (decision.value, decision.first_value)
