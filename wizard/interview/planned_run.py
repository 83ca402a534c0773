"""A planned run as the basis of another plan: its answers and its chosen settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from advisor.answers import ANSWER_OF_SETTING
from advisor.facts import Facts
from advisor.machine.hardware import Gpu, Hardware
from advisor.planning.compare import with_settings
from advisor.planning.limits import FOUND_NOT_CHOSEN
from advisor.run_folder.config_file import named_settings
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.plan_record import PlanRecord
from advisor.settings.config import flat_settings, setting_field
from advisor.settings.earlier import ADDED_SETTINGS
from templates.importing.import_plan import NEVER_ADVISED
from wizard.interview.questions import FLEXIBLE
from wizard.interview.request import PlanRequest


def request_of(run: Path, request: PlanRequest) -> PlanRequest:
    """The request, completed from the run's configuration.

    Raises:
        LoraError: there is no run, or it cannot be read.
    """
    folder = RunFolder.given(run)
    config = folder.located(folder.read_config())
    is_flexible = config.run.subject == "character" and config.run.goal == "flexible"
    return replace(
        request,
        images=request.images or config.dataset.images or None,
        model=request.model or config.model.path or None,
        name=request.name or config.saving.name,
        trigger=request.trigger or config.run.trigger,
        subject=request.subject or (FLEXIBLE if is_flexible else config.run.subject),
        advice=request.advice or config.run.advice,
    )


def machine_of(run: Path, found: Hardware) -> tuple[Hardware, str]:
    """The machine that a run was planned for, with the figures of today where its card is in this machine.

    Returns:
        The machine, and what to tell the user where it is not the one that a new plan would be made for; else "".

    Raises:
        LoraError: there is no run, or it cannot be read.
    """
    record = RunFolder.given(run).known_plan()
    if record is None or record.fields.hardware is None:
        return found, ""
    planned = record.fields.hardware.gpu
    if planned is None:
        told = "As the run was, this is planned for the processor; --gpu 0 plans for the card"
        return replace(found, gpus=(), chosen_gpu=None), told if found.gpus else ""
    card = planned.as_gpu()
    here = next((gpu for gpu in found.gpus if _is_same(gpu, card)), None)
    if here is not None:
        return replace(found, chosen_gpu=here.index), ""
    told = f"As the run was, this is planned for {card.name}, which is not in this machine"
    return found.with_only(card), f"{told}; --card, --vram or --gpu plan for another"


def _is_same(found: Gpu, planned: Gpu) -> bool:
    if planned.uuid and found.uuid:
        return planned.uuid == found.uuid
    return (planned.name, planned.total_bytes) == (found.name, found.total_bytes)


def choices_of(run: Path, *, images: str | None = None) -> dict[str, Any]:
    """The settings of a run that no rule set, by path: chosen, imported, or edited in its loracle.toml.

    Of a setting that loracle.toml names and the record of the plan does not, as where there is no record that can be
    read, nobody knows who set it: it counts as chosen.

    Args:
        images: other pictures than the run's, of whose folders the run can say nothing.

    Raises:
        LoraError: there is no run, or it cannot be read.
    """
    folder = RunFolder.given(run)
    config, plan = folder.read_config(), folder.known_plan()
    now, placed = (dict(flat_settings(one)) for one in (config, folder.located(config)))
    found = _meant_before(now, plan)
    found |= unrecorded_settings(folder)
    found |= frozenset() if plan is None else plan.chosen_paths(now) | plan.imported_paths()
    kept = found - set(ANSWER_OF_SETTING) - set(FOUND_NOT_CHOSEN)
    if images is not None and now["dataset.only_folders"]:
        kept -= {"dataset.folders", "dataset.only_folders"}
    return {path: value for path, value in placed.items() if path in kept}


def unrecorded_settings(run: RunFolder) -> frozenset[str]:
    """Settings that a run's loracle.toml names and the record of its plan, if there is one, does not."""
    plan = run.known_plan()
    decided = frozenset[str]() if plan is None else {decision.path for decision in plan.fields.decisions}
    return named_settings(run.config) - decided


def _meant_before(now: Mapping[str, Any], plan: PlanRecord | None) -> frozenset[str]:
    """Settings that the run's plan did not know yet and whose absence means something else than their default."""
    decided = frozenset[str]() if plan is None else {decision.path for decision in plan.fields.decisions}
    added = (path for path in ADDED_SETTINGS if path not in decided)
    return frozenset(path for path in added if now[path] != setting_field(path).default)


def imported_advice(run: Path) -> frozenset[str]:
    """The settings that came from another trainer's file and that the rules would settle too.

    Raises:
        LoraError: there is no run, or it cannot be read.
    """
    plan = RunFolder.given(run).known_plan()
    found = frozenset[str]() if plan is None else plan.imported_paths()
    return frozenset(path for path in found if not path.startswith(NEVER_ADVISED))


def with_choices(facts: Facts, choices: dict[str, Any]) -> Facts:
    """The facts with a run's choices added; those of the facts stand."""
    return with_settings(facts, {**choices, **facts.answers.settings})
