"""The trainers that we write for; a new one is its module, its template and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from templates import ai_toolkit, kohya_gui, onetrainer, sd_scripts
from templates.exporter import Exporter

EXPORTERS: Mapping[str, Exporter] = MappingProxyType(
    {
        exporter.name: exporter
        for exporter in (kohya_gui.EXPORTER, sd_scripts.EXPORTER, onetrainer.EXPORTER, ai_toolkit.EXPORTER)
    }
)
"""By the name that `loracle export --to` takes."""
