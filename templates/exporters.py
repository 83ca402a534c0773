"""The trainers that we write for; a new one is a folder and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from templates.ai_toolkit.export import EXPORTER as AI_TOOLKIT
from templates.exporting.exporter import Exporter
from templates.kohya.export_gui import EXPORTER as KOHYA_GUI
from templates.kohya.export_scripts import EXPORTER as SD_SCRIPTS
from templates.onetrainer.export import EXPORTER as ONETRAINER

EXPORTERS: Mapping[str, Exporter] = MappingProxyType(
    {exporter.name: exporter for exporter in (KOHYA_GUI, SD_SCRIPTS, ONETRAINER, AI_TOOLKIT)}
)
"""By the name that `loracle export --to` takes."""
