"""Where the processes of several machines meet: what torchrun, or a batch system by hand, sets in the environment.

The names are torch's (docs.pytorch.org/docs/stable/elastic/run.html, "Environment Variables"). Nothing here imports
torch: the command looks at them before it starts a trainer.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Self

from advisor.errors import ConfigError, ConfigErrors

OF_TORCHRUN = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Variables of the processes that libraries would join a group of their own by."""
NUMBERS = {"RANK": 0, "WORLD_SIZE": 1, "MASTER_PORT": 1}
"""Those that are whole numbers, and the least that each can be."""
SERVED_VARIABLE, RESTARTS_VARIABLE = "TORCHELASTIC_USE_AGENT_STORE", "TORCHELASTIC_RESTART_COUNT"


@dataclass(frozen=True)
class Rendezvous:
    """One process among those of all machines."""

    rank: int
    world_size: int
    local_rank: int
    """Among the processes of its machine: the number of its card."""
    address: str
    """MASTER_ADDR, which every machine reaches."""
    port: int
    is_served: bool
    """torchrun listens there; else the first process does."""
    restarts: int = 0
    """How often torchrun has started all of them anew."""

    @property
    def is_first(self) -> bool:
        """Whether this process is the run's."""
        return self.rank == 0

    @classmethod
    def taken_from(cls, environment: MutableMapping[str, str]) -> Self:
        """Read the variables, and take them out: a process that is started for something else joins nobody.

        Raises:
            ConfigErrors: some are missing or are not what torchrun sets; nothing is taken out.
        """
        wrong = [_error(name, environment.get(name)) for name in (*NUMBERS, "MASTER_ADDR")]
        errors = [error for error in wrong if error is not None]
        if not errors and int(environment["RANK"]) >= int(environment["WORLD_SIZE"]):
            size = environment["WORLD_SIZE"]
            errors.append(ConfigError("RANK", environment["RANK"], f"take one below WORLD_SIZE, which is {size}"))
        if errors:
            raise ConfigErrors(errors)
        local = environment.get("LOCAL_RANK", "")
        found = cls(
            int(environment["RANK"]),
            int(environment["WORLD_SIZE"]),
            int(local) if local.isdecimal() else 0,
            environment["MASTER_ADDR"],
            int(environment["MASTER_PORT"]),
            environment.get(SERVED_VARIABLE) == "True",
            int(environment.get(RESTARTS_VARIABLE, "0") or 0),
        )
        for name in OF_TORCHRUN:
            environment.pop(name, None)
        return found

    @property
    def as_argument(self) -> str:
        """The same for the trainer's command line."""
        numbers = (self.rank, self.world_size, self.local_rank, self.port, int(self.is_served), self.restarts)
        return ",".join(map(str, (*numbers, self.address)))

    @classmethod
    def of_argument(cls, argument: str) -> Self:
        """From the trainer's command line.

        Raises:
            ValueError: it is none of ours.
        """
        *numbers, address = argument.split(",", 6)
        rank, world_size, local_rank, port, is_served, restarts = map(int, numbers)
        return cls(rank, world_size, local_rank, address, port, bool(is_served), restarts)


def _error(name: str, found: str | None) -> ConfigError | None:
    mend = "start it by torchrun, or set it as torchrun does (README, several machines)"
    if found and (name not in NUMBERS or (found.isdecimal() and int(found) >= NUMBERS[name])):
        return None
    return ConfigError(name, found, mend)
