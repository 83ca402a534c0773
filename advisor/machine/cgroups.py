"""What a container or a job scheduler leaves of a machine: Linux's control groups, version 2 and 1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from advisor.files import kernel_number, kernel_text

UNLIMITED_BYTES = 2**60
"""Version 1 says `no limit` with a number near 2^63."""


@dataclass(frozen=True)
class Limits:
    """What this process may use; None: no limit."""

    cpu_threads: int | None = None
    ram_bytes: int | None = None
    ram_free_bytes: int | None = None


def container_limits(groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> Limits:
    """The tightest limits of the control groups that this process is in; none on other systems. Never raises.

    Args:
        groups: where the control groups are mounted.
        own: the file that names this process's groups (man 7 cgroups).
    """
    limits = [_version_2(folder) for folder in _folders(groups, own, "")]
    limits += [_version_1_memory(folder) for folder in _folders(groups / "memory", own, "memory")]
    limits += [_version_1_cpu(folder) for folder in _folders(groups / "cpu", own, "cpu")]
    return Limits(
        cpu_threads=_least(limit.cpu_threads for limit in limits),
        ram_bytes=_least(limit.ram_bytes for limit in limits),
        ram_free_bytes=_least(limit.ram_free_bytes for limit in limits),
    )


def _folders(mount: Path, own: Path, controller: str) -> Iterator[Path]:
    """This process's group and all around it, innermost first; within a container only the outermost may be there."""
    for line in kernel_text(own).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controller not in controllers.split(","):
            continue
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for depth in range(len(parts), -1, -1):
            yield mount.joinpath(*parts[:depth])


def _version_2(folder: Path) -> Limits:
    limit = kernel_number(folder / "memory.max")
    quota = kernel_text(folder / "cpu.max").split()
    threads = None
    if len(quota) == 2 and all(word.isdecimal() for word in quota):
        threads = _threads(int(quota[0]), int(quota[1]))
    return Limits(threads, limit, _free(limit, folder / "memory.current", folder / "memory.stat", "inactive_file"))


def _version_1_memory(folder: Path) -> Limits:
    limit = kernel_number(folder / "memory.limit_in_bytes")
    if limit is not None and limit >= UNLIMITED_BYTES:
        limit = None
    used, stat = folder / "memory.usage_in_bytes", folder / "memory.stat"
    return Limits(None, limit, _free(limit, used, stat, "total_inactive_file"))


def _version_1_cpu(folder: Path) -> Limits:
    quota, period = kernel_number(folder / "cpu.cfs_quota_us"), kernel_number(folder / "cpu.cfs_period_us")
    return Limits(_threads(quota, period) if quota and period else None)


def _threads(quota: int, period: int) -> int | None:
    return max(1, ceil(quota / period)) if quota > 0 and period > 0 else None


def _free(limit: int | None, used: Path, stat: Path, cache_name: str) -> int | None:
    """What is left of a limit; files kept in memory for speed count as free."""
    used_bytes = kernel_number(used)
    if limit is None or used_bytes is None:
        return None
    cache = 0
    for line in kernel_text(stat).splitlines():
        name, _, number = line.partition(" ")
        if name == cache_name and number.isdecimal():
            cache = int(number)
    return max(0, limit - max(0, used_bytes - cache))


def _least(numbers: Iterator[int | None]) -> int | None:
    return min((number for number in numbers if number is not None), default=None)
