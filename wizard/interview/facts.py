"""The planner's facts, built from the answers of an interview or from the command line's options."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from advisor.adapters.start_file import StartFile, read_start
from advisor.answers import Answers
from advisor.checkpoints.identity import Identity
from advisor.dataset.report import DatasetReport
from advisor.errors import ConfigError, ConfigErrors, LoraError, Mistakes
from advisor.estimate.calibration import Receipt
from advisor.facts import Facts
from advisor.files import is_there
from advisor.machine.hardware import Hardware
from advisor.settings.config import NamedFolder
from advisor.settings.parse_value import SettingValue, WrongValue, parse_settings
from advisor.settings.preset_file import PresetFile, read_preset
from wizard.interview.drawing.drawing_questions import drawing_settings
from wizard.interview.flow import InterviewState, Probes
from wizard.interview.machine_options import MachineOptions
from wizard.interview.names import checked_name
from wizard.interview.paths import absolute_path, given_path
from wizard.interview.preset_questions import RULES_ALONE, counted_preset, interviewed_preset
from wizard.interview.questions import FLEXIBLE, PART_KEYS, PREPEND_TRIGGER
from wizard.interview.request import PlanRequest
from wizard.interview.steps import checked_trigger
from wizard.processes.receipt_store import known_receipts

SUBJECTS, ADVICES = ("character", FLEXIBLE, "style"), ("tutorial", "current")


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
    of_model = ("prediction", "lineage", *PART_KEYS.values())
    chosen = {f"model.{key}": answers[key] for key in of_model if key in answers}
    if chosen.get("model.lineage") == "none" and state.identity.lineage is None:
        del chosen["model.lineage"]  # nothing was guessed, and nothing is known: no choice was made
    if answers.get(PREPEND_TRIGGER.key) == "yes":
        chosen["dataset.prepend_trigger"] = "true"
    chosen |= drawing_settings(answers)
    given = Answers(
        name=answers["name"],
        trigger=answers["trigger"],
        **_subject(answers["subject"]),
        advice=answers.get("advice", "tutorial"),  # type: ignore[arg-type]
        use_cpu=answers.get("machine") == "cpu" or hardware.main_gpu is None,
        settings=parse_settings({**chosen, **state.settings}),
    )
    file = answers.get("preset", RULES_ALONE)
    preset = None if file == RULES_ALONE else interviewed_preset(probes.preset(file), answers, given.settings)
    report = state.report if probes.pictures is None else probes.pictures(state).report()
    return with_start(Facts(hardware, report, state.identity, given, preset, probes.receipts()))


def with_start(facts: Facts, home: Path | None = None, *, read: Callable[[Path], StartFile] = read_start) -> Facts:
    """The facts with the LoRA that `network.start_from` names, looked at.

    Args:
        home: the run folder that a relative path may be meant from.

    Raises:
        ModelError: it cannot be read, or is no LoRA.
    """
    given = facts.start_from
    return replace(facts, start=None if given is None else read(start_path(given, home)))


def start_path(given: str, home: Path | None = None) -> Path:
    """Where the LoRA to go on from lies: from the current folder, else from `home`."""
    path = absolute_path(given)
    return path if home is None or is_there(path) else absolute_path(str(home / given))


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


def facts_of_request(
    request: PlanRequest,
    *,
    scan: Callable[[Path], DatasetReport],
    identify: Callable[[Path], Identity],
    probe: Callable[[], Hardware],
    receipts: Callable[[], tuple[Receipt, ...]] = known_receipts,
    mistakes: Mistakes | None = None,
) -> Facts:
    """The facts of a command line.

    Args:
        mistakes: what is known to be wrong besides; then a run that would have completed the request cannot be read.

    Raises:
        LoraError: the only mistake in it.
        UserErrors: all of them, where there are several.
    """
    mistakes = mistakes or Mistakes()
    missing = [f"--{key}" for key in ("images", "model", "name") if getattr(request, key) is None]
    if missing and not mistakes.found:
        mistakes.add(LoraError(f"give {' and '.join(missing)}, or run `loracle` in a terminal and be asked"))
    images, model, file = request.images, request.model, request.preset
    report = None if images is None else mistakes.attempt(lambda: scan(given_path(images)))
    identity = None if model is None else mistakes.attempt(lambda: identify(absolute_path(model)))
    hardware = mistakes.attempt(lambda: request.machine.applied(probe()))
    texts, malformed = split_settings(request.settings)
    settings = parse_settings(texts)
    mistakes.add(*malformed)
    answers = _answers(request, settings, mistakes, uses_cpu=hardware is not None and hardware.main_gpu is None)
    decided = {*request.given(), *(["cpu_threads"] if request.machine.cpu_threads is not None else [])}
    preset = None if file is None else mistakes.attempt(lambda: counted_preset(read_preset(file), decided, settings))
    if mistakes.found:
        mistakes.add(*_wrong_values(settings, preset))  # where nothing else is wrong, the planner adds limits to these
    mistakes.refuse()
    assert report is not None
    assert identity is not None
    assert hardware is not None
    return Facts(hardware, report, identity, answers, preset, receipts())


def named_folders_of(settings: Mapping[str, object]) -> tuple[NamedFolder, ...] | None:
    """The folders that chosen settings name as the only ones; None: all are looked at."""
    folders = settings.get("dataset.folders")
    if settings.get("dataset.only_folders") is not True or not isinstance(folders, tuple) or not folders:
        return None
    return folders


def _wrong_values(
    settings: Mapping[str, SettingValue | WrongValue], preset: PresetFile | None = None
) -> Iterator[ConfigError]:
    """What is wrong with chosen settings, and with a preset's."""
    of_preset = () if preset is None else (entry.value for entry in preset.settings)
    for value in (*settings.values(), *of_preset):
        if isinstance(value, WrongValue):
            yield from value.errors


def _answers(
    request: PlanRequest, settings: Mapping[str, SettingValue | WrongValue], mistakes: Mistakes, *, uses_cpu: bool
) -> Answers:
    """The answers; in the place of wrong ones their defaults."""
    given, word = request.name, request.trigger or ""
    name = None if given is None else mistakes.attempt(lambda: checked_name(given))
    trigger = mistakes.attempt(lambda: checked_trigger(word))
    subject = mistakes.attempt(lambda: _one_of("--subject", request.subject or SUBJECTS[0], SUBJECTS))
    advice = mistakes.attempt(lambda: _one_of("--advice", request.advice or ADVICES[0], ADVICES))
    return Answers(
        name=name or "lora",
        trigger=trigger or "",
        **_subject(subject or SUBJECTS[0]),
        advice=advice or ADVICES[0],  # type: ignore[arg-type]
        use_cpu=uses_cpu,
        settings=dict(settings),
    )


def _subject(answer: str) -> dict[str, Any]:
    """The fields of `Answers` that the question of what is learned decides."""
    if answer == FLEXIBLE:
        return {"subject": "character", "goal": "flexible"}
    return {"subject": answer, "goal": "exact"}


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
        ConfigErrors: texts without `=`, unknown paths and wrong values, all of them.
    """
    settings, errors = split_settings(texts)
    errors += _wrong_values(parse_settings(settings))
    if errors:
        raise ConfigErrors(errors)
    return settings
