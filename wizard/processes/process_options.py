"""`loracle train --gpus`, `--gpu` and `--processes`."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.errors import ConfigError, ConfigErrors

MOST_PROCESSES = 64
"""Of one machine; none has as many cards."""


@dataclass(frozen=True)
class ProcessOptions:
    """What the command line says of several processes."""

    gpus: str | None = None
    """`all`, or how many."""
    gpu: str | None = None
    """Which, as nvidia-smi counts, with commas between."""
    processes: int | None = None
    """On the processor."""

    @property
    def is_given(self) -> bool:
        """Whether any of them is."""
        return (self.gpus, self.gpu, self.processes) != (None, None, None)

    def refuse_for_several_runs(self) -> None:
        """Refuse them where several runs are trained one after another, each by one process.

        Raises:
            ConfigErrors: one of them is given.
        """
        given = {"--gpus": self.gpus, "--gpu": self.gpu, "--processes": self.processes}
        mend = "it is for one run: leave it out, or train the runs by a `loracle train` each"
        errors = [ConfigError(name, found, mend) for name, found in given.items() if found is not None]
        if errors:
            raise ConfigErrors(errors)

    def refuse_contradictions(self, *, on_processor: bool) -> None:
        """Refuse what cannot be meant together.

        Raises:
            ConfigErrors: all of it.
        """
        errors = list[ConfigError]()
        if self.gpus is not None and self.gpu is not None:
            errors.append(ConfigError("--gpus", self.gpus, "leave it out, since --gpu names the cards"))
        if (self.gpus or self.gpu) is not None and (on_processor or self.processes is not None):
            name, found = ("--gpu", self.gpu) if self.gpus is None else ("--gpus", self.gpus)
            errors.append(ConfigError(name, found, "leave it out: this trains on the processor (--processes N)"))
        if self.processes is not None and not on_processor:
            mend = "it is for trainings on the processor (--device cpu); several cards are --gpus all, or --gpu 0,1"
            errors.append(ConfigError("--processes", self.processes, mend))
        if self.processes is not None and not 1 <= self.processes <= MOST_PROCESSES:
            errors.append(ConfigError("--processes", self.processes, f"take 1 to {MOST_PROCESSES}"))
        if errors:
            raise ConfigErrors(errors)
