"""The plan: a settled configuration, each setting with its reason, and what it will take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from advisor.settings.config import TrainingConfig

Origin = Literal["rule", "answer", "default", "preset", "import", "ladder"]
CHOSEN_ORIGINS: tuple[Origin, ...] = ("answer", "preset")
"""A setting with such an origin is the user's own, which neither rules nor the memory ladder change."""


@dataclass(frozen=True)
class Source:
    """Where a rule comes from."""

    title: str
    url: str
    says: str = ""
    """What it says of the settings that it is named for, in our words."""


@dataclass(frozen=True)
class Decision:
    """One setting, settled."""

    path: str
    """Dotted, e.g. `network.rank`."""
    value: Any
    reason: str
    """One sentence for the user, that names a fact of this case or a consequence."""
    origin: Origin
    source: Source

    @property
    def is_chosen(self) -> bool:
        """Whether the user or their preset made it."""
        return self.origin in CHOSEN_ORIGINS


@dataclass(frozen=True)
class PlanWarning:
    """What the user should hear before it is too late."""

    code: str
    """E.g. `alpha_not_power_of_two`, `cpu_training`."""
    message: str


@dataclass(frozen=True)
class Estimate:
    """What the training will take."""

    vram_bytes: int
    """Peak memory of the card (on a processor: of the training process)."""
    vram_parts: dict[str, int]
    """The same by part; adds up to `vram_bytes`. `overhead` is what lies around what torch allocates: what its
    allocator reserves beyond it, and the driver's own."""
    steps: int
    """Optimizer steps."""
    seconds: float | None
    """Wall time of the whole run; None where nothing is known of the card's speed."""
    lora_bytes: int
    """Size of one LoRA file."""
    disk_bytes: int
    """All that the run writes."""
    phase_bytes: dict[str, int] = field(default_factory=dict)
    """Peak memory while pictures are encoded (`caching`) and samples drawn (`sampling`)."""
    notes: tuple[str, ...] = ()
    """How sure the figures are."""

    @property
    def peak_bytes(self) -> int:
        """Peak memory of the phase that needs most."""
        return max(self.vram_bytes, *self.phase_bytes.values(), 0)

    @property
    def peak_phase(self) -> str | None:
        """The phase, one of `phase_bytes`, that needs more than a step; None where a step needs most."""
        most = max(self.phase_bytes, key=lambda phase: self.phase_bytes[phase], default=None)
        return most if most is not None and self.phase_bytes[most] > self.vram_bytes else None

    allocated_bytes: int = 0
    """What torch has allocated at the peak of a step; `loracle measure` measures the same."""
    reserved_bytes: int = 0
    """What torch's allocator holds of the card for it."""
    seconds_low: float | None = None
    seconds_high: float | None = None
    """The real time is rarely outside of these."""
    seconds_per_step: float | None = None
    sampling_seconds: float | None = None
    """Of the run's time, drawing pictures."""
    num_samples: int = 0
    """Pictures that are drawn, those of the base model before the first step among them."""
    epochs: int = 0
    exposures_per_picture: float = 0.0
    """How often each is trained, repeats and epochs together."""
    energy_wh: float | None = None
    """Of the card at its power limit all the time, the most it can be; None where the driver does not tell it."""
    ram_bytes: int = 0
    """Peak of the machine's memory that the training process takes; on a processor it holds `vram_bytes` too."""


@dataclass(frozen=True)
class Plan:
    """What will be trained, and why so."""

    config: TrainingConfig
    decisions: tuple[Decision, ...]
    """One for every setting, in the order of `setting_paths()`."""
    warnings: tuple[PlanWarning, ...]
    estimate: Estimate
    by_path: dict[str, Decision] = field(init=False, repr=False, compare=False)
    """The decisions by path."""

    def __post_init__(self) -> None:
        """Index the decisions."""
        object.__setattr__(self, "by_path", {decision.path: decision for decision in self.decisions})
