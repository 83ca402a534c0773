"""Facts: what was found, and what the user said."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.answers import Answers
from advisor.checkpoint import Identity
from advisor.dataset import DatasetReport
from advisor.hardware import Gpu, Hardware


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

    @classmethod
    def of(cls, findings: Findings, answers: Answers) -> Facts:
        """Findings and answers together."""
        return cls(findings.hardware, findings.dataset, findings.model, answers)

    @property
    def gpu(self) -> Gpu | None:
        """The card to train on; None on a processor."""
        return None if self.answers.use_cpu else self.hardware.main_gpu
