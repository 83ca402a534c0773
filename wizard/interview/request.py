"""The command line's options for a plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from wizard.interview.machine_options import MachineOptions


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """The options of `plan` and `new`; None: not given."""

    images: str | None = None
    model: str | None = None
    name: str | None = None
    trigger: str | None = None
    subject: str | None = None
    advice: str | None = None
    settings: tuple[str, ...] = ()
    """Each `path=value`."""
    machine: MachineOptions = field(default_factory=MachineOptions)
    preset: Path | None = None

    def given(self) -> dict[str, str]:
        """The interview's answers that these options give, by key."""
        pairs = {
            "subject": self.subject, "images": self.images, "model": self.model, "name": self.name,
            "trigger": self.trigger, "advice": self.advice, **self._given_of_machine(),
        }  # fmt: skip
        return {key: value for key, value in pairs.items() if value is not None}

    def _given_of_machine(self) -> dict[str, str | None]:
        machine = self.machine
        if machine.card is not None:
            return {"machine": "other", "card": machine.card, "vram": machine.vram}
        if machine.vram is not None:
            generation = machine.compute_capability or ""
            return {"machine": "other", "card": "", "vram": machine.vram, "generation": generation}
        return {} if self.machine.gpu is None else {"machine": f"gpu:{self.machine.gpu}"}
