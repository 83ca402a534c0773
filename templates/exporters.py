"""The trainers that we write for; a new one is a folder and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from advisor.run_folder.layout import RunFolder
from advisor.settings.config import TrainingConfig
from templates.ai_toolkit.export import EXPORTER as AI_TOOLKIT
from templates.exporting.exporter import USUAL, Export, Exporter, ExportOptions
from templates.exporting.proposed_prompts import LEFT_OUT, without_proposed_prompts
from templates.kohya.export_gui import EXPORTER as KOHYA_GUI
from templates.kohya.export_scripts import EXPORTER as SD_SCRIPTS
from templates.musubi.export import EXPORTER as MUSUBI_TUNER
from templates.onetrainer.export import EXPORTER as ONETRAINER
from templates.skypilot.export import EXPORTER as SKYPILOT

EXPORTERS: Mapping[str, Exporter] = MappingProxyType(
    {exporter.name: exporter for exporter in (KOHYA_GUI, SD_SCRIPTS, ONETRAINER, AI_TOOLKIT, MUSUBI_TUNER, SKYPILOT)}
)
"""By the name that `loracle export --to` takes."""


def export_run(
    name: str, config: TrainingConfig, *, run: RunFolder, out: Path | None = None, options: ExportOptions = USUAL
) -> Export:
    """Write a run's configuration for another trainer, without the prompts that only a rule proposed unless these are
    wanted; for our own trainer elsewhere with all.

    Args:
        name: a key of `EXPORTERS`.

    Raises:
        LoraError: as `Write`.
    """
    exporter = EXPORTERS[name]
    keeps = options.with_prompts or exporter.is_own_trainer
    written = config if keeps else without_proposed_prompts(config, run)
    export = exporter.write(written, run=run.path, out=out, options=options)
    return export if written is config else replace(export, notes=(*export.notes, LEFT_OUT))
