"""The files of the base model and of what is named beside it: what is brought to the machine, and what it fetches."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from advisor.errors import ConfigError, RunError
from advisor.files import file_digest, is_file, is_folder, is_there
from advisor.same_place import resolved
from advisor.settings.config import TrainingConfig, setting
from templates.exporting.paths import located
from templates.exporting.separate_parts import separate_parts

MODELS = "models"
"""The folder of all of them in the bundle."""
PLACES: Mapping[str, str] = {
    "model.path": "base", "model.vae_path": "vae", "model.text_encoder_path": "text_encoder",
    "network.start_from": "start_from",
}  # fmt: skip
"""Settings that name a model, and the folder in `MODELS` that it gets; a folder each, since names may be the same."""
HUB = "https://huggingface.co"
"""Where what lies in the cache of Hugging Face's library came from."""
HUB_CACHE = re.compile(r"/models--([^/]+)/snapshots/([0-9a-f]{40})(?:/|$)")
"""That cache's folder of a repository, in which `--` stands for the slash, and of a commit of it."""
DIGEST = re.compile(r"[0-9a-f]{64}")
"""The name of a large file in that cache is its sha256."""
PLAIN_PLACE = re.compile(r"[A-Za-z0-9._/-]*")
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Mount:
    """A file or folder of this machine that SkyPilot copies to the rented one."""

    source: Path
    place: str
    """In the bundle, with forward slashes."""


@dataclass(frozen=True)
class Download:
    """A file that the rented machine fetches by its address."""

    address: str
    sha256: str
    place: str
    """In the bundle, with forward slashes."""


@dataclass(frozen=True)
class ModelFiles:
    """All that a run reads beside its pictures."""

    places: Mapping[str, str]
    """Path of a setting -> where in the bundle that file or folder is."""
    mounts: tuple[Mount, ...]
    downloads: tuple[Download, ...]

    @property
    def num_bytes(self) -> int:
        """Of what is copied to the machine."""
        return sum(_bytes_of(mount.source) for mount in self.mounts)


def model_files(config: TrainingConfig, run: Path) -> ModelFiles:
    """Where each model goes and how it gets there.

    What lies in the cache of Hugging Face's library is fetched by its address and compared by its sha256; all else is
    copied from this machine.

    Raises:
        RunError: a file cannot be read.
    """
    known, mounts, downloads = dict[Path, str](), list[Mount](), list[Download]()
    sources = _sources(config, run)
    for path, source in sources.items():
        if source in known:  # one file with several networks in it
            continue
        known[source] = place = f"{MODELS}/{PLACES[path]}/{_plain_name(source)}"
        try:
            found = _downloads(source, place)
            downloads += found
            mounts += [] if found else _mounts(source, place)
        except OSError as error:
            raise RunError(f"{source} cannot be read: {error.strerror or error}") from None
    places = {path: known[source] for path, source in sources.items()}
    return ModelFiles(places, tuple(mounts), tuple(downloads))


def model_errors(config: TrainingConfig, run: Path) -> Iterator[ConfigError]:
    """Models that are not on this machine, and files that SkyPilot could not copy by their path."""
    for path, source in _sources(config, run).items():
        if not is_there(source):
            yield ConfigError(
                path, str(source), "a bundle needs it, and it is not on this machine: name it where it is"
            )
        elif not HUB_CACHE.search(source.as_posix()):
            yield from _path_errors(path, source)


def _path_errors(path: str, source: Path) -> Iterator[ConfigError]:
    for mount in _mounts(source, ""):
        if not is_handed_on(resolved(mount.source)) or not PLAIN_PLACE.fullmatch(mount.place):
            mend = "SkyPilot does not hand a path with ', a backslash or such signs on as it is: rename it"
            yield ConfigError(path, str(mount.source), mend)
            return


def is_handed_on(path: Path) -> bool:
    """Whether SkyPilot hands a path of this machine on to rsync as it is: it writes it into a shell command as Python
    shows a text, which with an apostrophe in it stands in double quotes, where the shell looks at `$` and others."""
    return repr(str(path)) == f"'{path}'"


def _sources(config: TrainingConfig, run: Path) -> dict[str, Path]:
    """Path of a setting -> the file or folder; parts that are found beside the base model are named, too."""
    found = {path: located(given, run) for path in PLACES if (given := setting(config, path))}
    parts, base = separate_parts(config, run), found["model.path"]
    for path, part in (("model.text_encoder_path", parts.text_encoder), ("model.vae_path", parts.vae)):
        if part and not Path(part).is_relative_to(base):
            found.setdefault(path, Path(part))
    return found


def _plain_name(source: Path) -> str:
    """The file's own name, which a LoRA tells as that of its base, where no shell looks into it."""
    name = source.name
    if PLAIN_NAME.fullmatch(name):
        return name
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._-")[-80:].lstrip("._-")
    return plain if PLAIN_NAME.fullmatch(plain) else f"model{PurePosixPath(plain).suffix}"


def _mounts(source: Path, place: str) -> list[Mount]:
    """A file, or a folder; one with links in it file by file, since links would be copied as links."""
    if not is_folder(source):
        return [Mount(source, place)]
    files, root = {file.relative_to(source): file for file in _files(source)}, resolved(source)
    if all(resolved(file) == root / inner for inner, file in files.items()):
        return [Mount(source, place)]
    return [Mount(file, f"{place}/{inner.as_posix()}") for inner, file in files.items()]


def _downloads(source: Path, place: str) -> list[Download]:
    found = HUB_CACHE.search(source.as_posix())
    if found is None:
        return []
    snapshot = Path(source.as_posix()[: found.end()])
    address = f"{HUB}/{found[1].replace('--', '/')}/resolve/{found[2]}"
    files = list(_files(source)) if is_folder(source) else [source]
    return [
        Download(
            f"{address}/{quote(file.relative_to(snapshot).as_posix())}",
            _digest(file),
            place if file == source else f"{place}/{file.relative_to(source).as_posix()}",
        )
        for file in files
    ]


def _files(folder: Path) -> Iterator[Path]:
    """The regular files below a folder, also where links lead to them; each folder once."""
    seen = set[Path]()
    for inside, folders, names in os.walk(folder, followlinks=True):
        seen.add(resolved(Path(inside)))
        folders[:] = sorted(name for name in folders if resolved(Path(inside) / name) not in seen)
        yield from (file for name in sorted(names) if is_file(file := Path(inside) / name))


def _digest(file: Path) -> str:
    name = resolved(file).name
    return name if file.is_symlink() and DIGEST.fullmatch(name) else file_digest(file)


def _bytes_of(source: Path) -> int:
    return sum(file.stat().st_size for file in (_files(source) if is_folder(source) else [source]))
