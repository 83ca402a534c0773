"""What torch is installed and what it can use: `python -P -m trainer.device.torch_report` prints one line of JSON.

It runs in a process of its own, since a broken torch can take its process down;
`advisor.environment.torch_report` reads the line.
"""

from __future__ import annotations

import json
import sys
import warnings
from importlib import import_module
from importlib.util import find_spec
from typing import Any

FORMATS = ("float32", "float16", "bfloat16")
"""The number formats that training may compute in."""

SIDE = 64
"""Side of the matrices that are multiplied to see whether a device computes."""

MOST_LETTERS = 600
"""How much of an error is handed on; a loader's message can be pages long."""


def torch_facts() -> dict[str, Any]:
    """All of it; whatever fails is under `error`, of torch or of one device."""
    try:
        torch = import_module("torch")
    except BaseException as error:  # a torch for another system can fail in any way, even by ending the process
        return {"error": _text(error)}
    facts: dict[str, Any] = {
        "version": str(torch.__version__),
        "cuda": torch.version.cuda,
        "hip": getattr(torch.version, "hip", None),
        "xpu": getattr(torch.version, "xpu", None) is not None,
        "devices": [],
    }
    try:
        facts["architectures"] = list(torch.cuda.get_arch_list())
        for device in _devices(torch):
            facts["devices"].append(_device_facts(torch, device))
        if any(device["kind"] == "cuda" for device in facts["devices"]) and find_spec("bitsandbytes") is not None:
            facts["bitsandbytes"] = _bitsandbytes(torch)
        if (torch.version.cuda or facts["hip"]) and not torch.cuda.is_available():
            facts["error"] = _why_no_cuda(torch)
    except Exception as error:
        facts["error"] = _text(error)
    return facts


def _devices(torch: Any) -> list[Any]:
    """What torch can compute on, GPUs first; always the CPU."""
    devices = [torch.device("cuda", index) for index in range(_num_cuda(torch))]
    if torch.backends.mps.is_available():
        devices.append(torch.device("mps"))
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        devices += [torch.device("xpu", index) for index in range(torch.xpu.device_count())]
    return [*devices, torch.device("cpu")]


def _num_cuda(torch: Any) -> int:
    return int(torch.cuda.device_count()) if torch.cuda.is_available() else 0


def _device_facts(torch: Any, device: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {"kind": device.type, "name": device.type, "finite": {}}
    try:
        if device.type in ("cuda", "xpu"):
            module = getattr(torch, device.type)
            properties = module.get_device_properties(device)
            facts["name"], facts["total_bytes"] = properties.name, int(properties.total_memory)
        if device.type == "cuda":
            facts["capability"] = list(torch.cuda.get_device_capability(device))
            facts["free_bytes"] = int(torch.cuda.mem_get_info(device)[0])
        for name in FORMATS:
            facts["finite"][name] = _computes(torch, device, getattr(torch, name))
    except Exception as error:
        facts["error"] = _text(error)
    return facts


def _computes(torch: Any, device: Any, dtype: Any) -> bool:
    """Whether ones times ones, summed over a row, is the row's length in this format."""
    try:
        ones = torch.ones(SIDE, SIDE, device=device, dtype=dtype)
        return bool((ones @ ones == SIDE).all().item())
    except (NotImplementedError, TypeError):
        return False


def _bitsandbytes(torch: Any) -> str:
    """`works` if an 8-bit optimizer takes a step, else what it said."""
    try:
        optimizers = import_module("bitsandbytes.optim")
        weights = torch.nn.Parameter(torch.ones(4096, 2, device="cuda"))
        optimizer = optimizers.AdamW8bit([weights], lr=1e-3)
        weights.sum().backward()
        optimizer.step()
        torch.cuda.synchronize()
    except Exception as error:
        return _text(error)
    return "works"


def _why_no_cuda(torch: Any) -> str | None:
    """What torch says when a CUDA build finds no GPU that it can use."""
    try:
        torch.cuda.init()
    except Exception as error:
        return _text(error)
    return None


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:MOST_LETTERS]


def main() -> None:
    """Print the facts as one line of JSON, the last of standard output."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        facts = torch_facts()
    sys.stdout.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main()
