"""`--gpus`, `--gpu`, `--processes`: one run is trained by all of them together, of several runs each has one.

`--distributed` is one run's, by processes that torchrun has started.
"""

from __future__ import annotations

from dataclasses import dataclass

from advisor.errors import ConfigError, ConfigErrors

MOST_PROCESSES = 64
"""Of one machine; none has as many cards."""


@dataclass(frozen=True)
class ProcessOptions:
    """What the command line says of several cards or processes."""

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

    @property
    def as_typed(self) -> tuple[str, ...]:
        """The command line's words for them."""
        given = {"--gpus": self.gpus, "--gpu": self.gpu, "--processes": self.processes}
        return tuple(word for name, value in given.items() if value is not None for word in (name, str(value)))

    def refuse_contradictions(self, *, on_processor: bool | None) -> None:
        """Refuse what cannot be meant together.

        Args:
            on_processor: whether it is trained there; None: some of several runs may be.

        Raises:
            ConfigErrors: all of it.
        """
        errors = list[ConfigError]()
        if self.gpus is not None and self.gpu is not None:
            errors.append(ConfigError("--gpus", self.gpus, "leave it out, since --gpu names the cards"))
        if (self.gpus or self.gpu) is not None and (on_processor or self.processes is not None):
            name, found = ("--gpu", self.gpu) if self.gpus is None else ("--gpus", self.gpus)
            errors.append(ConfigError(name, found, "leave it out: this trains on the processor (--processes N)"))
        if self.processes is not None and on_processor is False:
            mend = "it is for trainings on the processor (--device cpu); several cards are --gpus all, or --gpu 0,1"
            errors.append(ConfigError("--processes", self.processes, mend))
        if self.processes is not None and not 1 <= self.processes <= MOST_PROCESSES:
            errors.append(ConfigError("--processes", self.processes, f"take 1 to {MOST_PROCESSES}"))
        if errors:
            raise ConfigErrors(errors)
