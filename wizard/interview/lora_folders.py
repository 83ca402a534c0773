"""The LoRA folders of image generators on this machine: A1111, Forge, ComfyUI, Stability Matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

BESIDE_MODELS = (("Stable-diffusion", "Lora"), ("StableDiffusion", "Lora"), ("checkpoints", "loras"))
"""(folder of base models, folder of LoRAs beside it): A1111 and Forge, Stability Matrix, ComfyUI."""

USUAL = (
    ("stable-diffusion-webui", "models/Lora"),
    ("stable-diffusion-webui-forge", "models/Lora"),
    ("stable-diffusion-webui-reForge", "models/Lora"),
    ("webui_forge_cu121_torch231/webui", "models/Lora"),
    ("sd.webui/webui", "models/Lora"),
    ("ComfyUI", "models/loras"),
    ("ComfyUI_windows_portable/ComfyUI", "models/loras"),
    ("StabilityMatrix/Data", "Models/Lora"),
    ("AppData/Roaming/StabilityMatrix", "Models/Lora"),
)
"""(folder of a program below one of the roots, folder of LoRAs in it)."""

BELOW_HOME = ("", "Documents", "Downloads", "Desktop", "AI", "ai", "git", "src")
WINDOWS_DRIVES = ("C:/", "D:/", "E:/")


def lora_folders(
    base_model: Path, remembered: str | None, *, home: Path, windows: bool, exists: Callable[[Path], bool] = Path.is_dir
) -> tuple[Path, ...]:
    """The LoRA folders that exist: the one used last, those beside the base model, those in the usual places."""
    found: dict[Path, None] = {}
    for folder in _candidates(base_model, remembered, home, windows=windows):
        try:
            if exists(folder):
                found[folder] = None
        except OSError:
            continue
    return tuple(found)


def _candidates(base_model: Path, remembered: str | None, home: Path, *, windows: bool) -> Iterator[Path]:
    if remembered:
        yield Path(remembered)
    for folder in base_model.parents:
        for models, loras in BESIDE_MODELS:
            if folder.name.lower() == models.lower():
                yield folder.parent / loras
    roots = [home / below for below in BELOW_HOME]
    roots += (
        [Path(drive) for drive in WINDOWS_DRIVES] + [Path(drive, "AI") for drive in WINDOWS_DRIVES] if windows else []
    )
    for root in roots:
        for program, loras in USUAL:
            yield root / program / loras
