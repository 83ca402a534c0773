"""What an exporter is: the writer of another trainer's files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from advisor.settings.config import TrainingConfig
from templates.exporting.memory import TrainerMemory


@dataclass(frozen=True)
class Export:
    """What was written, and what the user should hear of it."""

    paths: tuple[Path, ...]
    """The files and folders written, the one to open first."""
    notes: tuple[str, ...]
    """What differs for this configuration, and what it means."""
    how_to_start: str
    """One paragraph: how to train with these files."""


@dataclass(frozen=True)
class ExportOptions:
    """What an export writes, and how it treats what is there."""

    overwrite: bool = False
    """Replace files that the user changed or made, after keeping each beside it."""
    copy: bool = False
    """Copy images, where hard links to them would do."""
    with_prompts: bool = False
    """Write the prompts that a rule proposed, too."""


USUAL = ExportOptions()


class Write(Protocol):
    """Writes a configuration for another trainer."""

    def __call__(
        self, config: TrainingConfig, *, run: Path, out: Path | None, options: ExportOptions = USUAL
    ) -> Export:
        """Write into `run`/exports, the main file to `out` where it is given.

        Raises:
            ConfigErrors: the trainer would refuse, drop or misread settings; all are listed.
            UsersFiles: files in the way are the user's; nothing was written.
            RunError: the files cannot be written.
        """


@dataclass(frozen=True)
class Exporter:
    """A trainer that we write for."""

    name: str
    """As `loracle export --to` takes it."""
    title: str
    maps: frozenset[str]
    """Paths of the settings that arrive there; for Stable Diffusion, as `drops` too."""
    drops: Mapping[str, str]
    """Paths of the settings that have no place there, and what that means; with `maps` these are all settings."""
    memory: TrainerMemory
    """What a step takes there, and how sure that is."""
    write: Write
    family_drops: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By family, where it has others than `drops`."""
    is_own_trainer: bool = False
    """Our trainer is what trains there, so that it draws what was planned."""

    def drops_for(self, family: str) -> Mapping[str, str]:
        """Paths of the settings that have no place there for a family, and what that means."""
        return self.family_drops.get(family, self.drops)

    def maps_for(self, family: str) -> frozenset[str]:
        """Paths of the settings that arrive there for a family."""
        return (self.maps | self.drops.keys()) - self.drops_for(family).keys()
