"""A plan as the command line asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from advisor.answers import Answers
from advisor.checkpoints.identity import Identity
from advisor.dataset.report import DatasetReport
from advisor.errors import ConfigError, ConfigErrors, LoraError, UnknownSetting
from advisor.estimate.calibration import Receipt
from advisor.facts import Facts
from advisor.machine.hardware import Hardware
from advisor.settings.config import setting_field
from advisor.settings.parse_value import SettingValue, WrongValue, parse_settings
from advisor.settings.preset_file import read_preset
from wizard.interview.machine_options import MachineOptions
from wizard.interview.names import checked_name
from wizard.interview.paths import absolute_path, given_path
from wizard.interview.steps import checked_trigger
from wizard.processes.measured_runs import known_receipts

Found = TypeVar("Found")
SUBJECTS, ADVICES = ("character", "style"), ("tutorial", "current")


@dataclass(frozen=True)
class PlanRequest:
    """The options of `plan` and `new`; None: not given."""

    images: str | None = None
    model: str | None = None
    name: str | None = None
    trigger: str | None = None
    subject: str | None = None
    advice: str | None = None
    settings: tuple[str, ...] = ()
    """Each `path=value`."""
    machine: MachineOptions = field(default_factory=MachineOptions)
    preset: Path | None = None

    def given(self) -> dict[str, str]:
        """What it answers, by the conversation's keys."""
        pairs = {
            "subject": self.subject, "images": self.images, "model": self.model, "name": self.name,
            "trigger": self.trigger, "advice": self.advice, **self._given_of_machine(),
        }  # fmt: skip
        return {key: value for key, value in pairs.items() if value is not None}

    def _given_of_machine(self) -> dict[str, str]:
        if self.machine.vram is not None:
            return {"machine": "other", "vram": self.machine.vram, "generation": self.machine.compute_capability or ""}
        return {} if self.machine.gpu is None else {"machine": f"gpu:{self.machine.gpu}"}


class WrongInput(LoraError):
    """Several things are wrong; all are told at once."""

    def __init__(self, errors: Sequence[LoraError]) -> None:
        """Keep the single errors."""
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in errors))


def facts_of_request(
    request: PlanRequest,
    *,
    scan: Callable[[Path], DatasetReport],
    identify: Callable[[Path], Identity],
    probe: Callable[[], Hardware],
    receipts: Callable[[], tuple[Receipt, ...]] = known_receipts,
) -> Facts:
    """All that the plan is made from.

    Raises:
        WrongInput: everything that is wrong with it.
    """
    errors: list[LoraError] = []

    def attempt(make: Callable[[], Found]) -> Found | None:
        try:
            return make()
        except LoraError as error:
            errors.append(error)
            return None

    missing = [f"--{key}" for key in ("images", "model", "name") if getattr(request, key) is None]
    if missing:
        mend = "or run `loracle` in a terminal and be asked"
        errors.append(LoraError(f"give {' and '.join(missing)}, {mend}"))
    images, model, preset_path = request.images, request.model, request.preset
    report = None if images is None else attempt(lambda: scan(given_path(images)))
    identity = None if model is None else attempt(lambda: identify(absolute_path(model)))
    hardware = attempt(lambda: request.machine.applied(probe()))
    name = attempt(lambda: checked_name(request.name or "")) if request.name is not None else None
    texts, malformed = split_settings(request.settings)
    settings = parse_settings(texts)
    errors += malformed
    uses_cpu = hardware is not None and hardware.main_gpu is None
    answers = attempt(lambda: _answers(request, name or "lora", settings, uses_cpu=uses_cpu))
    preset = None if preset_path is None else attempt(lambda: read_preset(preset_path))
    if errors:
        errors += _unknown(settings)  # where nothing else is wrong, the planner lists these with the rest
    if errors or report is None or identity is None or hardware is None or answers is None:
        raise errors[0] if len(errors) == 1 else WrongInput(errors)
    return Facts(hardware, report, identity, answers, preset, receipts())


def _unknown(settings: Mapping[str, SettingValue | WrongValue]) -> Iterator[ConfigError]:
    """The errors of what names no setting."""
    for value in settings.values():
        if isinstance(value, WrongValue):
            yield from (error for error in value.errors if isinstance(error, UnknownSetting))


def _answers(
    request: PlanRequest, name: str, settings: Mapping[str, SettingValue | WrongValue], *, uses_cpu: bool
) -> Answers:
    return Answers(
        name=name,
        trigger=checked_trigger(request.trigger or ""),
        subject=_one_of("--subject", request.subject or SUBJECTS[0], SUBJECTS),  # type: ignore[arg-type]
        advice=_one_of("--advice", request.advice or ADVICES[0], ADVICES),  # type: ignore[arg-type]
        use_cpu=uses_cpu,
        settings=dict(settings),
    )


def _one_of(option: str, value: str, values: tuple[str, ...]) -> str:
    if value not in values:
        raise ConfigError(option, value, f"take {' or '.join(values)}")
    return value


def split_settings(texts: Sequence[str]) -> tuple[dict[str, str], list[ConfigError]]:
    """Path to value of each `path=value`, the last of a path counting, and an error for each that is not written so."""
    malformed = [
        ConfigError("--set", text, "write it as path=value, e.g. network.rank=48") for text in texts if "=" not in text
    ]
    pairs = (text.partition("=") for text in texts if "=" in text)
    return {path.strip(): value for path, _, value in pairs}, malformed


def chosen_settings(texts: Sequence[str]) -> dict[str, str]:
    """Path to value of each `path=value`.

    Raises:
        ConfigErrors: some name no setting, or are not written so; all are told.
    """
    settings, errors = split_settings(texts)
    errors += unknown_settings(settings)
    if errors:
        raise ConfigErrors(errors)
    return settings


def unknown_settings(paths: Iterable[str]) -> list[ConfigError]:
    """An error for each path that is no setting's."""
    errors: list[ConfigError] = []
    for path in paths:
        try:
            setting_field(path)
        except ConfigError as error:
            errors.append(error)
    return errors
