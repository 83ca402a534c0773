"""The LoRA folders of image generators on this machine, and which program reads a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal

Program = Literal["A1111", "Forge", "SD.Next", "SwarmUI", "ComfyUI", "Fooocus", "InvokeAI", "Stability Matrix"]
"""Stability Matrix shares one folder among the programs that it installs."""

BESIDE_MODELS = (("Stable-diffusion", "Lora"), ("StableDiffusion", "Lora"), ("checkpoints", "loras"))
"""(folder of base models, folder of LoRAs beside it): A1111 and Forge, Stability Matrix, ComfyUI."""

USUAL = (
    ("stable-diffusion-webui", "models/Lora"),
    ("stable-diffusion-webui-forge", "models/Lora"),
    ("stable-diffusion-webui-reForge", "models/Lora"),
    ("stable-diffusion-webui-amdgpu", "models/Lora"),
    ("stable-diffusion-webui-amdgpu-forge", "models/Lora"),
    ("stable-diffusion-webui-directml", "models/Lora"),
    ("sd-webui-forge-classic", "models/Lora"),
    ("sd-webui-forge-neo", "models/Lora"),
    ("webui_forge_*/webui", "models/Lora"),
    ("sd.webui/webui", "models/Lora"),
    ("sdnext", "models/Lora"),
    ("automatic", "models/Lora"),
    ("SwarmUI", "Models/Lora"),
    ("StableSwarmUI", "Models/Lora"),
    ("ComfyUI", "models/loras"),
    ("ComfyUI_windows_portable*/ComfyUI", "models/loras"),
    ("Fooocus", "models/loras"),
    ("Fooocus_win64_*/Fooocus", "models/loras"),
    ("StabilityMatrix*/Data", "Models/Lora"),
    ("AppData/Roaming/StabilityMatrix", "Models/Lora"),
    (".config/StabilityMatrix", "Models/Lora"),
    ("Library/Application Support/StabilityMatrix", "Models/Lora"),
)
"""(folder of a program below one of the roots, * for its version; folder of LoRAs in it)."""

PROGRAM_OF: tuple[tuple[str, Program], ...] = (
    ("stabilitymatrix", "Stability Matrix"),
    ("invoke", "InvokeAI"),
    ("swarmui", "SwarmUI"),
    ("fooocus", "Fooocus"),
    ("comfyui", "ComfyUI"),
    ("sdnext", "SD.Next"),
    ("forge", "Forge"),
    ("stable-diffusion-webui", "A1111"),
    ("sd.webui", "A1111"),
)
"""(what a folder above the LoRAs is called in part, the program); the first that fits."""
PROGRAM_BY_NAME: tuple[tuple[str, Program], ...] = (("automatic/models/lora", "SD.Next"), ("models/loras", "ComfyUI"),
                                                    ("models/lora", "A1111"))  # fmt: skip
"""(how the path of a folder ends, the program), where no folder above is called after one."""

BELOW_HOME = ("", "Documents", "Downloads", "Desktop", "AI", "ai", "git", "src")
WINDOWS_DRIVES = ("C:/", "D:/", "E:/")

Listing = Callable[[Path, str], Iterable[Path]]
"""(folder, pattern) -> the folders below it that match."""


def lora_folders(
    base_model: Path,
    remembered: str | None,
    *,
    home: Path,
    windows: bool,
    exists: Callable[[Path], bool] = Path.is_dir,
    listing: Listing = Path.glob,
) -> tuple[Path, ...]:
    """The LoRA folders that exist: the one used last, those beside the base model, those in the usual places."""
    found: dict[Path, None] = {}
    for folder in _candidates(base_model, remembered, home, windows=windows, listing=listing):
        try:
            if exists(folder):
                found[folder] = None
        except OSError:
            continue
    return tuple(found)


def program_of(folder: Path) -> Program | None:
    """The program that reads LoRAs from a folder, by the names above it; None where they do not tell."""
    path = folder.as_posix().lower().rstrip("/")
    named = next((program for part, program in PROGRAM_OF if part in path), None)
    return named or next((program for end, program in PROGRAM_BY_NAME if path.endswith(end)), None)


def usual_roots(home: Path, *, windows: bool) -> list[Path]:
    """The folders in which people have such programs; not all of them exist."""
    drives = [Path(drive, below) for below in ("", "AI") for drive in WINDOWS_DRIVES] if windows else []
    return [home / below for below in BELOW_HOME] + drives


def _candidates(
    base_model: Path, remembered: str | None, home: Path, *, windows: bool, listing: Listing
) -> Iterator[Path]:
    if remembered:
        yield Path(remembered)
    for folder in base_model.parents:
        for models, loras in BESIDE_MODELS:
            if folder.name.lower() == models.lower():
                yield folder.parent / loras
    for root in usual_roots(home, windows=windows):
        for program, loras in USUAL:
            yield from _matching(root, f"{program}/{loras}", listing)


def _matching(root: Path, below: str, listing: Listing) -> Iterator[Path]:
    if "*" not in below:
        yield root / below
        return
    try:
        yield from sorted(listing(root, below), reverse=True)  # the newest version first, as they are numbered
    except OSError:
        return
