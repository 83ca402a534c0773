"""What torch says of itself and of the cards it can use, as `python -P -m trainer.device.torch_report` tells it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TorchDevice:
    """Something that torch can compute on."""

    kind: str
    """`cuda` (AMD's cards too), `mps`, `xpu` or `cpu`."""
    name: str
    capability: tuple[int, int] | None = None
    total_bytes: int | None = None
    free_bytes: int | None = None
    finite: tuple[tuple[str, bool], ...] = ()
    """For each number format that was tried, whether a small product of matrices came out as it should."""
    error: str | None = None
    """What the device said when it was asked to compute."""


@dataclass(frozen=True)
class TorchFacts:
    """One installation of torch."""

    version: str | None = None
    """E.g. `2.13.0+cu130`; None where it cannot be imported."""
    cuda: str | None = None
    """The CUDA that this build was made with; None for other builds."""
    hip: str | None = None
    """The same of AMD's ROCm."""
    has_xpu: bool = False
    """Whether the build can use Intel's cards."""
    architectures: tuple[str, ...] = ()
    """What the build has machine code for: `sm_86`, `compute_120` ..."""
    devices: tuple[TorchDevice, ...] = ()
    bitsandbytes: str | None = None
    """`works`, what it said when it failed, or None where it was not tried."""
    error: str | None = None
    """Why torch could not be asked."""

    @property
    def gpus(self) -> tuple[TorchDevice, ...]:
        """The devices that are no processor."""
        return tuple(device for device in self.devices if device.kind != "cpu")


def read_torch_facts(output: str, exit_code: int = 0) -> TorchFacts:
    """The facts from what the child process printed; what is missing is an error within them.

    Args:
        output: its standard output; the last line that holds a JSON object counts.
        exit_code: how it ended; a crash leaves no facts.
    """
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            try:
                document = json.loads(line)
                return _facts(document)
            except (ValueError, KeyError, TypeError) as error:
                return TorchFacts(error=f"its answer cannot be read: {error}")
    return TorchFacts(error=f"asking it ended the process (exit code {exit_code})")


def _facts(document: dict[str, Any]) -> TorchFacts:
    return TorchFacts(
        version=document.get("version"),
        cuda=document.get("cuda"),
        hip=document.get("hip"),
        has_xpu=bool(document.get("xpu")),
        architectures=tuple(document.get("architectures", ())),
        devices=tuple(_device(device) for device in document.get("devices", ())),
        bitsandbytes=document.get("bitsandbytes"),
        error=document.get("error"),
    )


def _device(document: dict[str, Any]) -> TorchDevice:
    capability = document.get("capability")
    return TorchDevice(
        kind=document["kind"],
        name=document["name"],
        capability=(int(capability[0]), int(capability[1])) if capability else None,
        total_bytes=document.get("total_bytes"),
        free_bytes=document.get("free_bytes"),
        finite=tuple((name, bool(finite)) for name, finite in document.get("finite", {}).items()),
        error=document.get("error"),
    )
