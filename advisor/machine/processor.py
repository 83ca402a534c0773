"""The processor: its name as it is sold, and the numbers that it computes with in hardware."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from typing import Literal

ProcessorDtype = Literal["float32", "bfloat16"]
"""What a processor may train in."""

CPUINFO = Path("/proc/cpuinfo")
"""Where Linux tells of processors."""

BFLOAT16_FLAGS = frozenset(("avx512_bf16", "amx_bf16"))
"""What Linux calls the instructions of x86 that multiply matrices in bfloat16: AVX512-BF16 (Intel from Cooper Lake, AMD
from Zen 4 on) and AMX (Intel from Sapphire Rapids on); torch's kernels use both."""

SLOW_SECONDS = 5
"""As long as a system's own program may take to tell the processor's name."""


def has_bfloat16(cpuinfo: Path = CPUINFO) -> bool:
    """Whether the processor multiplies matrices in bfloat16 by instructions of its own.

    Without them torch does the same in single steps, hundreds of times slower than in float32. False where it is not
    known: outside Linux nothing tells of it, and on ARM, whose processors may have it, nobody has tried it.
    """
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    flags = (value for key, value in _entries(text) if key == "flags")
    return not BFLOAT16_FLAGS.isdisjoint(next(flags, "").split())


def fastest_dtype(*, has_bfloat16: bool) -> ProcessorDtype:
    """What a processor computes a training step in soonest: half the bytes of float32 where it has them in hardware."""
    return "bfloat16" if has_bfloat16 else "float32"


def cpu_name(system: str) -> str:
    """The processor's name as it is sold; the system's word for it where there is none.

    Args:
        system: as `platform.system()` has it.
    """
    try:
        if system == "Linux":
            name = _name_of_linux(CPUINFO.read_text(encoding="utf-8", errors="replace"))
        elif system == "Darwin":
            command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
            answer = subprocess.run(command, capture_output=True, text=True, timeout=SLOW_SECONDS, check=True)
            name = answer.stdout.strip()
        else:
            name = _name_of_windows()
    except Exception:
        name = ""
    return name or platform.processor() or platform.machine()


def _name_of_linux(cpuinfo: str) -> str:
    names = (value for key, value in _entries(cpuinfo) if key in ("model name", "Model"))
    return " ".join(next(names, "").split())


def _entries(cpuinfo: str) -> list[tuple[str, str]]:
    lines = (line.partition(":") for line in cpuinfo.splitlines())
    return [(key.strip(), value) for key, _, value in lines]


def _name_of_windows() -> str:
    if sys.platform != "win32":
        return ""
    import winreg

    with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\CentralProcessor\0") as key:
        return str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()
