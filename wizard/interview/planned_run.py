"""A run that was planned already, as a request for a plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from advisor.facts import Facts
from advisor.planning.compare import with_settings
from advisor.planning.limits import FOUND_NOT_CHOSEN
from advisor.run_folder.config_file import config_file, read_config
from advisor.run_folder.plan_record import chosen_paths
from advisor.settings.config import flat_settings
from wizard.interview.request import PlanRequest
from wizard.processes.retry_on_oom import read_plan

SAID = frozenset({"saving.name", "run.trigger", "run.subject", "run.advice"})
"""What a request has by other names."""


def request_of(run: Path, request: PlanRequest) -> PlanRequest:
    """The request, with what it leaves open taken from the run.

    Raises:
        LoraError: there is no run, or it cannot be read.
    """
    config = read_config(run)
    return replace(
        request,
        images=request.images or config.dataset.images,
        model=request.model or config.model.path,
        name=request.name or config.saving.name,
        trigger=request.trigger or config.run.trigger,
        subject=request.subject or config.run.subject,
        advice=request.advice or config.run.advice,
    )


def choices_of(run: Path) -> dict[str, Any]:
    """The settings of a run that no rule made, by path: chosen, imported, or edited in its `loracle.toml`.

    Raises:
        LoraError: there is no run, or it cannot be read.
    """
    now = dict(flat_settings(read_config(run)))
    record = read_plan(config_file(run).parent) or {}
    imported = {
        row.get("path")
        for row in record.get("decisions") or ()
        if isinstance(row, dict) and row.get("origin") == "import"
    }
    kept = (chosen_paths(record, now) | imported) - SAID - set(FOUND_NOT_CHOSEN)
    return {path: value for path, value in now.items() if path in kept}


def with_choices(facts: Facts, choices: dict[str, Any]) -> Facts:
    """The facts with a run's choices under those that they have."""
    return with_settings(facts, {**choices, **facts.answers.settings})
