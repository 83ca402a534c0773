"""A run's configuration as it stands in a bundle: the same training, with paths that begin in the bundle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from advisor.plan import Decision, Estimate, Plan, Source
from advisor.run_folder.plan_record import PlanRecord
from advisor.settings.config import PATH_SETTINGS, TrainingConfig, flat_settings, setting, with_values
from templates.native.loracle_toml import render_config
from templates.native.recorded_plan import decision_of
from templates.skypilot.bundle_pictures import PICTURES, REGULARIZATION, BundlePictures, named_folders

SOURCE = Source("Loracle's bundles for SkyPilot", "")
NOTES = (
    "Of a bundle for a rented machine: all paths are relative to this file's folder.",
    "The pictures beside it are those of the run, with all edits made, so that there are none to be read here.",
)
IN_THE_BUNDLE = "where the bundle has it"
OWN_CARD = "the rented machine's own card"


def bundle_config(config: TrainingConfig, models: Mapping[str, str], pictures: BundlePictures) -> TrainingConfig:
    """The configuration that trains the same in the bundle's folder of the run.

    Args:
        models: path of a setting -> where in the bundle its model is.
    """
    values: dict[str, Any] = {path: f"../{place}" for path, place in models.items()}
    values |= {
        "dataset.images": f"../{PICTURES}",
        "dataset.folders": named_folders(pictures.subject),
        "dataset.only_folders": True,
        "machine.gpu_uuid": "",
    }
    if pictures.regularization is not None:
        values["dataset.regularization_images"] = f"../{REGULARIZATION}"
        values["dataset.regularization_folders"] = named_folders(pictures.regularization)
    return with_values(config, values)


def config_text(given: TrainingConfig, bundled: TrainingConfig, record: PlanRecord | None, run: Path) -> str:
    """The text of the bundle's loracle.toml, with the plan's reasons, but for those that name places of this machine.

    Args:
        given: the run's configuration.
        bundled: the bundle's.
        record: the run's plan; None: nobody knows why its settings are as they are.
        run: the run's folder.

    Raises:
        LoraError: a value cannot be written.
    """
    recorded = () if record is None else record.fields.decisions
    known = (decision_of(one, given) for one in recorded)
    decisions = {one.path: one for one in _placeless((one for one in known if one is not None), given, run)}
    for path, value in flat_settings(bundled):
        if value != setting(given, path):
            reason = OWN_CARD if path == "machine.gpu_uuid" else IN_THE_BUNDLE
            decisions[path] = Decision(path, value, reason, "rule", SOURCE)
    plan = Plan(bundled, tuple(decisions.values()), (), Estimate(0, {}, 0, None, 0, 0))
    return render_config(plan, notes=NOTES)


def _placeless(decisions: Iterable[Decision], config: TrainingConfig, run: Path) -> Iterator[Decision]:
    """The decisions, without the words of those that name a folder of this machine."""
    places = {str(Path.home()), str(run)}
    places |= {str(Path(given).parent) for path in PATH_SETTINGS if (given := setting(config, path))}
    places = {place for place in places if Path(place).is_absolute() and len(Path(place).parts) > 1}
    for one in decisions:
        if any(place in text for place in places for text in (one.reason, one.source.title, one.source.says)):
            yield replace(one, reason="as planned", source=SOURCE)
        else:
            yield one
