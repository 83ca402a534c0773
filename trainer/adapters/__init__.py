"""The kinds of adapters: a file for each, and a line in the table here."""

from __future__ import annotations

from collections.abc import Mapping

from advisor.settings.config import AdapterKind
from trainer.adapters.adapter import Adapter, Dropouts, Rows
from trainer.adapters.dora import DoraLayer
from trainer.adapters.loha import LohaLayer
from trainer.adapters.lokr import LokrLayer
from trainer.adapters.lora import LoraLayer

ADAPTERS: Mapping[AdapterKind, type[Adapter]] = {
    "lora": LoraLayer,
    "locon": LoraLayer,
    "dora": DoraLayer,
    "loha": LohaLayer,
    "lokr": LokrLayer,
}
"""The layer of each kind."""

__all__ = ["ADAPTERS", "Adapter", "Dropouts", "Rows"]
