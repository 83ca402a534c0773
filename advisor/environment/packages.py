"""Which packages are installed, by their own account, and which of them do not get on. Nothing is imported."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

OURSELVES = "loracle"

NEEDED = ("accelerate", "diffusers", "numpy", "pillow", "safetensors", "tokenizers", "torch", "transformers")
"""What training cannot do without."""

WATCHED = (*NEEDED, OURSELVES, "bitsandbytes", "huggingface-hub", "peft", "tensorboard", "torchaudio", "torchvision",
           "triton", "xformers")  # fmt: skip
"""Packages whose versions matter: ours, and those that transformers or diffusers import as soon as they see them."""

BUILT_WITH_TORCH = ("torchvision", "torchaudio")
"""Packages that come in one build for each build of torch."""


@dataclass(frozen=True)
class Package:
    """An installed package."""

    version: str
    requires: tuple[str, ...] = ()
    """What it asks for, in the words of its metadata: `torch==2.13.0`."""


@dataclass(frozen=True)
class PythonFacts:
    """The Python that runs this."""

    version: tuple[int, int, int]
    bits: int
    """64, or 32."""


@dataclass(frozen=True)
class Clash:
    """Two packages that do not get on."""

    found: str
    mend: str


def this_python() -> PythonFacts:
    """The Python that runs this."""
    return PythonFacts(sys.version_info[:3], struct.calcsize("P") * 8)


def own_version() -> str:
    """Of the Loracle that runs."""
    try:
        return metadata.version(OURSELVES)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def installed_packages(names: tuple[str, ...] = WATCHED) -> dict[str, Package]:
    """Those of the named packages that are installed."""
    found = {}
    for name in names:
        try:
            package = metadata.distribution(name)
            version = package.metadata["Version"]  # None where an installation was broken off
            found[name] = Package(version or "?", tuple(package.requires or ()))
        except (metadata.PackageNotFoundError, OSError, ValueError):
            continue
    return found


def clashes(packages: Mapping[str, Package]) -> tuple[Clash, ...]:
    """What is missing, broken or too old or new among installed packages, by what each asks for."""
    return (*_missing(packages), *_unmet(packages), *_other_builds(packages))


def _missing(packages: Mapping[str, Package]) -> Iterator[Clash]:
    for name in NEEDED:
        if name not in packages:
            yield Clash(f"{name} is not installed", f"pip install {name}")
    for name, package in packages.items():
        if _version(package) is None:
            yield Clash(f"{name} is only half installed", f"pip install --force-reinstall --no-deps {name}")


def _unmet(packages: Mapping[str, Package]) -> Iterator[Clash]:
    """Requirements on an installed package that its version does not meet."""
    for name, package in packages.items():
        for text in package.requires:
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                continue
            wanted = canonicalize_name(requirement.name)
            if wanted not in packages or not _applies(requirement):
                continue
            there = _version(packages[wanted])
            if there is None or requirement.specifier.contains(there, prereleases=True):
                continue
            found = f"{name} {package.version} asks for {wanted}{requirement.specifier} and {there} is installed"
            yield Clash(found, _mend(name, wanted, requirement))


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _mend(name: str, wanted: str, requirement: Requirement) -> str:
    if name in NEEDED or name == OURSELVES:
        return f'pip install "{wanted}{requirement.specifier}"'
    return f"pip install --upgrade {name}, or pip uninstall {name}: Loracle does not need it"


def _other_builds(packages: Mapping[str, Package]) -> Iterator[Clash]:
    """Companions of torch that were built for another device than it."""
    torch = packages.get("torch")
    if torch is None:
        return
    _, _, build = torch.version.partition("+")
    for name in BUILT_WITH_TORCH:
        if name not in packages:
            continue
        _, _, other = packages[name].version.partition("+")
        if other and build and other != build:
            found = f"{name} {packages[name].version} was built for another torch than {torch.version}"
            yield Clash(
                found, f"pip uninstall {name}: Loracle does not need it, and diffusers fails where it is broken"
            )


def _version(package: Package) -> Version | None:
    try:
        return Version(package.version)
    except InvalidVersion:
        return None
