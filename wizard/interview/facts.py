"""The planner's facts, built from the answers of an interview or from the command line's options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from advisor.answers import Answers
from advisor.checkpoints.identity import Identity
from advisor.dataset.report import DatasetReport
from advisor.errors import ConfigError, ConfigErrors, LoraError, UnknownSetting
from advisor.estimate.calibration import Receipt
from advisor.facts import Facts
from advisor.machine.hardware import Hardware
from advisor.settings.config import NamedFolder, setting_field
from advisor.settings.parse_value import SettingValue, WrongValue, parse_settings
from advisor.settings.preset_file import read_preset
from wizard.interview.flow import InterviewState, Probes
from wizard.interview.machine_options import MachineOptions
from wizard.interview.names import checked_name
from wizard.interview.paths import absolute_path, given_path
from wizard.interview.preset_questions import RULES_ALONE, counted_preset, interviewed_preset
from wizard.interview.request import PlanRequest
from wizard.interview.steps import checked_trigger
from wizard.processes.receipt_store import known_receipts

Found = TypeVar("Found")
SUBJECTS, ADVICES = ("character", "style"), ("tutorial", "current")


def facts_of_state(state: InterviewState, probes: Probes, options: MachineOptions) -> Facts:
    """The facts of a finished interview.

    Args:
        options: the command line's; the answers about the machine go before them.

    Raises:
        HardwareError: no such machine is possible.
        LoraError: the preset cannot be read any more.
    """
    assert state.report is not None
    assert state.identity is not None
    answers = state.answers
    hardware = machine_options_of(state, options).applied(probes.probe())
    chosen = {f"model.{key}": answers[key] for key in ("prediction", "lineage") if key in answers}
    if chosen.get("model.lineage") == "none" and state.identity.lineage is None:
        del chosen["model.lineage"]  # nothing was guessed, and nothing is known: no choice was made
    given = Answers(
        name=answers["name"],
        trigger=answers["trigger"],
        subject=answers["subject"],  # type: ignore[arg-type]
        advice=answers.get("advice", "tutorial"),  # type: ignore[arg-type]
        use_cpu=answers.get("machine") == "cpu" or hardware.main_gpu is None,
        settings=parse_settings({**chosen, **state.settings}),
    )
    file = answers.get("preset", RULES_ALONE)
    preset = None if file == RULES_ALONE else interviewed_preset(probes.preset(file), answers, given.settings)
    return Facts(hardware, state.report, state.identity, given, preset, probes.receipts())


def machine_options_of(state: InterviewState, options: MachineOptions) -> MachineOptions:
    """The command line's options, replaced by the answers where the interview asked about the machine."""
    chosen, vram, card = state.answers.get("machine", ""), state.answers.get("vram"), state.answers.get("card")
    if chosen == "other" and card:
        return replace(options, card=card, vram=vram, compute_capability=None, gpu=None)
    if chosen == "other":
        generation = state.answers.get("generation") or options.compute_capability
        return replace(options, vram=vram, compute_capability=generation, gpu=None, card=None)
    if chosen.startswith("gpu:"):
        return replace(options, gpu=int(chosen.removeprefix("gpu:")), vram=vram, card=None)
    return replace(options, vram=None, compute_capability=None, card=None) if chosen == "cpu" else options


class WrongInput(LoraError):
    """Several errors of a command line in one message."""

    def __init__(self, errors: Sequence[LoraError]) -> None:
        """Join the messages of `errors`, a line each."""
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
    """The facts of a command line.

    Raises:
        WrongInput: everything that is wrong with it; a single error is raised as it is.
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
    decided = {*request.given(), *(["cpu_threads"] if request.machine.cpu_threads is not None else [])}
    preset = (
        None if preset_path is None else attempt(lambda: counted_preset(read_preset(preset_path), decided, settings))
    )
    if errors:
        errors += _unknown(settings)  # where nothing else is wrong, the planner lists these with the rest
    if errors or report is None or identity is None or hardware is None or answers is None:
        raise errors[0] if len(errors) == 1 else WrongInput(errors)
    return Facts(hardware, report, identity, answers, preset, receipts())


def named_folders_of(settings: Mapping[str, object]) -> tuple[NamedFolder, ...] | None:
    """The folders that chosen settings name as the only ones; None: all are looked at."""
    folders = settings.get("dataset.folders")
    if settings.get("dataset.only_folders") is not True or not isinstance(folders, tuple) or not folders:
        return None
    return folders


def _unknown(settings: Mapping[str, SettingValue | WrongValue]) -> Iterator[ConfigError]:
    """The errors of paths that are no setting's."""
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
    """Path to value of each `path=value` (of equal paths the last), and an error for each text without `=`."""
    malformed = [
        ConfigError("--set", text, "write it as path=value, e.g. network.rank=48") for text in texts if "=" not in text
    ]
    pairs = (text.partition("=") for text in texts if "=" in text)
    return {path.strip(): value for path, _, value in pairs}, malformed


def chosen_settings(texts: Sequence[str]) -> dict[str, str]:
    """Path to value of each `path=value`.

    Raises:
        ConfigErrors: texts without `=` and unknown paths, all of them.
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
