"""Facts: what was found, and what the user said."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.adapters.start_file import StartFile
from advisor.answers import Answers
from advisor.checkpoints.identity import Identity
from advisor.dataset.report import DatasetReport
from advisor.estimate.calibration import Receipt
from advisor.machine.hardware import Gpu, Hardware
from advisor.settings.preset_file import PresetFile

START_FROM = "network.start_from"


@dataclass(frozen=True)
class Findings:
    """What the program saw for itself."""

    hardware: Hardware
    dataset: DatasetReport
    model: Identity


@dataclass(frozen=True)
class Facts:
    """All that a plan is made from; the same facts give the same plan."""

    hardware: Hardware
    dataset: DatasetReport
    model: Identity
    answers: Answers
    preset: PresetFile | None = None
    """A preset file that the user named; it beats the rules, and the answers beat it."""
    receipts: tuple[Receipt, ...] = ()
    """What earlier runs on this machine took."""
    start: StartFile | None = None
    """The LoRA that `network.start_from` names; None where it names none, or nobody looked."""

    @classmethod
    def of(cls, findings: Findings, answers: Answers, preset: PresetFile | None = None) -> Facts:
        """Findings, answers and a preset file together."""
        return cls(findings.hardware, findings.dataset, findings.model, answers, preset)

    @property
    def chosen_paths(self) -> frozenset[str]:
        """The settings that rules leave alone: those that the user or a preset file made."""
        preset = self.preset.by_path if self.preset else {}
        return frozenset(self.answers.settings) | frozenset(preset)

    @property
    def start_from(self) -> str | None:
        """The LoRA that the user or a preset file names to go on from, as it is given."""
        preset = self.preset.by_path.get(START_FROM) if self.preset else None
        given = self.answers.settings.get(START_FROM, preset.value if preset else None)
        return given if isinstance(given, str) and given else None

    @property
    def gpu(self) -> Gpu | None:
        """The card to train on; None on a processor."""
        return None if self.answers.use_cpu else self.hardware.main_gpu

    @property
    def free_bytes(self) -> int:
        """Free memory of that card; of the machine, on a processor."""
        return self.hardware.ram_free_bytes if self.gpu is None else self.gpu.free_bytes
