"""The running Loracle as a wheel, and the versions of what it runs with, so that a rented machine has the same.

No index is asked for it: what stands there under our name, if anything, need not be this version.
"""

from __future__ import annotations

import csv
import os
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib import metadata
from io import BytesIO, StringIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from advisor.environment.packages import OURSELVES
from advisor.errors import RunError

ROOT = Path(__file__).parents[2]
PACKAGES = ("advisor", "templates", "trainer", "wizard")
"""All that a wheel of ours holds; they lie beside one another wherever we run from."""
CACHES = "__pycache__"
BUILDS = frozenset({"torch"})
"""Packages whose build is chosen for the machine: their version counts, what they bring with them does not."""
WHEEL = "Wheel-Version: 1.0\nGenerator: loracle\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of all files, so that the same code gives the same bytes."""


@dataclass(frozen=True)
class Wheel:
    """A wheel, to be written."""

    name: str
    content: bytes


def own_wheel() -> Wheel:
    """The wheel of what runs.

    Raises:
        RunError: this is no installation by start.py or pip, so that it is not known what it needs.
    """
    found = _installation()
    info = f"{OURSELVES}-{found.version}.dist-info"
    files = dict(_code()) | {f"{info}/{name}": content for name, content in _notes(found)}
    record = StringIO()
    lines = csv.writer(record, lineterminator="\n")
    for name, content in files.items():
        digest = urlsafe_b64encode(sha256(content).digest()).rstrip(b"=").decode("ascii")
        lines.writerow((name, f"sha256={digest}", len(content)))
    lines.writerow((f"{info}/RECORD", "", ""))
    files[f"{info}/RECORD"] = record.getvalue().encode("utf-8")
    return Wheel(f"{OURSELVES}-{found.version}-py3-none-any.whl", _zipped(files))


def pinned_packages(extras: frozenset[str]) -> Mapping[str, str]:
    """The version here of each package that Loracle needs, and of those that these need, by name.

    Args:
        extras: further groups of packages, as `pip install loracle[NAME]` has them; those not installed here have no
            version to keep to.

    Raises:
        RunError: as `own_wheel`.
    """
    _installation()
    found, seen = dict[str, str](), set[tuple[str, frozenset[str]]]()
    waiting = [(OURSELVES, extras)]
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        found[name] = Version(package.version).public
        needed = () if name in BUILDS else map(Requirement, package.requires or ())
        waiting += [(canonicalize_name(one.name), frozenset(one.extras)) for one in needed if _applies(one, wanted)]
    return {name: version for name, version in sorted(found.items()) if name != OURSELVES}


def _applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def _installation() -> metadata.Distribution:
    try:
        return metadata.distribution(OURSELVES)
    except metadata.PackageNotFoundError:
        raise RunError(
            "this Loracle was not installed, so that it is not known what a rented machine needs for it: start it by "
            "`python3 start.py`, or install it with pip"
        ) from None


def _code() -> Iterator[tuple[str, bytes]]:
    for package in PACKAGES:
        for folder, folders, names in os.walk(ROOT / package):
            folders[:] = sorted(name for name in folders if name != CACHES)
            for name in sorted(names):
                path = Path(folder) / name
                yield path.relative_to(ROOT).as_posix(), path.read_bytes()


def _notes(found: metadata.Distribution) -> Iterator[tuple[str, bytes]]:
    """What the installation knows of itself: metadata, the command's entry point, licences."""
    for name in ("METADATA", "entry_points.txt"):
        yield name, (found.read_text(name) or "").encode("utf-8")
    yield "WHEEL", WHEEL.encode("ascii")
    for file in found.files or ():
        inner = "/".join(file.parts[1:])
        if inner.startswith("licenses/"):
            yield inner, Path(str(found.locate_file(file))).read_bytes()


def _zipped(files: Mapping[str, bytes]) -> bytes:
    made = BytesIO()
    with ZipFile(made, "w", ZIP_DEFLATED) as wheel:
        for name, content in files.items():
            entry = ZipInfo(name, EPOCH)
            entry.external_attr, entry.compress_type = 0o644 << 16, ZIP_DEFLATED
            wheel.writestr(entry, content)
    return made.getvalue()
