"""Facts made up for tests: name what the test is about, the rest is usual."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from advisor.answers import Answers
from advisor.checkpoints.identity import Identity
from advisor.dataset.report import DatasetReport, Folder, ImageFile
from advisor.facts import Facts
from advisor.families import family as family_of
from advisor.families.structure import Structure
from advisor.machine.hardware import DESKTOP_BYTES, Gpu, Hardware
from advisor.plan import Plan
from advisor.planning.planner import make_plan
from advisor.settings.config import TrainingConfig
from advisor.settings.parse_value import parse_settings
from advisor.settings.preset_file import PresetFile
from advisor.units import GIB

SIZES = ((768, 1024), (1024, 1024), (1024, 768), (832, 1216))
"""Of the pictures, taken in turn."""

TAGS = "mira, 1girl, red hair, smile, outdoors"
"""A caption as booru tags."""


def make_gpu(
    vram_gib: float = 8.0,
    *,
    free_gib: float | None = None,
    compute_capability: tuple[int, int] | None = (8, 6),
    name: str = "NVIDIA GeForce RTX 3070",
    vendor: Any = "nvidia",
    **fields: Any,
) -> Gpu:
    """A card; half a GiB is taken by the desktop unless `free_gib` says otherwise."""
    total = int(vram_gib * GIB)
    free = max(0, total - DESKTOP_BYTES) if free_gib is None else int(free_gib * GIB)
    values: dict[str, Any] = {"uuid": "GPU-0000", "cuda_cores": 5888, "max_clock_mhz": 1725} | fields
    return Gpu(name, total, free, compute_capability, vendor, **values)


def make_hardware(
    vram_gib: float | None = 8.0,
    *,
    free_gib: float | None = None,
    compute_capability: tuple[int, int] | None = (8, 6),
    gpu_name: str = "NVIDIA GeForce RTX 3070",
    vendor: Any = "nvidia",
    gpus: Sequence[Gpu] | None = None,
    system: str = "Linux",
    cpu_threads: int = 16,
    ram_gib: float = 32.0,
    disk_gib: float = 500.0,
    **fields: Any,
) -> Hardware:
    """A machine; `vram_gib=None` is one without a card."""
    if gpus is None:
        card = (vram_gib, free_gib, compute_capability, gpu_name, vendor)
        gpus = () if vram_gib is None else (_gpu(card),)
    return Hardware(
        system=system,
        architecture="AMD64" if system == "Windows" else "x86_64",
        cpu_name="AMD Ryzen 7 5800X",
        cpu_threads=cpu_threads,
        cpu_cores=max(1, cpu_threads // 2),
        ram_bytes=int(ram_gib * GIB),
        ram_free_bytes=int(ram_gib * 0.75 * GIB),
        disk_free_bytes=int(disk_gib * GIB),
        gpus=tuple(gpus),
        **fields,
    )


def _gpu(card: tuple[Any, ...]) -> Gpu:
    vram_gib, free_gib, compute_capability, name, vendor = card
    return make_gpu(vram_gib, free_gib=free_gib, compute_capability=compute_capability, name=name, vendor=vendor)


def make_dataset(
    num_images: int = 30,
    *,
    sizes: Sequence[tuple[int, int]] = SIZES,
    captions: str | Sequence[str | None] | None = TAGS,
    folders: Sequence[Folder] | None = None,
    root: str = "/pictures",
    **fields: Any,
) -> DatasetReport:
    """A scanned folder; pictures take `sizes` (and `captions`, if several) in turn, all in the last folder."""
    given = [captions] if captions is None or isinstance(captions, str) else list(captions)
    places = tuple(folders) if folders is not None else (Folder(".", num_images),)
    owner = [index for index, folder in enumerate(places) for _ in range(folder.num_images)]
    pictures = tuple(
        ImageFile(
            f"{number:05}.png",
            *sizes[number % len(sizes)],
            folder=owner[number] if number < len(owner) else len(places) - 1,
            caption=given[number % len(given)],
        )
        for number in range(num_images)
    )
    extensions = dict(Counter(".txt" for picture in pictures if picture.caption))
    return DatasetReport(root, pictures, places, **({"extensions": extensions} | fields))


def make_identity(family: str | None = "sd1", **fields: Any) -> Identity:
    """A base model's identity with the family's usual structure."""
    known = family_of(family) if family else None
    values: dict[str, Any] = {
        "path": "/models/base.safetensors",
        "kind": "checkpoint",
        "prediction": "epsilon",
        "dtype": "float16",
        "parts": ("denoiser", "vae", "text_encoder"),
        "trainable": True,
        "structure": known.standard if known else None,
    }
    return Identity(family=family, **(values | fields))


def make_facts(
    num_images: int = 30,
    vram_gib: float | None = 8.0,
    family: str | None = "sd1",
    *,
    lineage: Any = None,
    prediction: Any = "epsilon",
    structure: Structure | None = None,
    subject: Any = "character",
    goal: Any = "exact",
    advice: Any = "tutorial",
    name: str = "mira",
    trigger: str = "mira",
    settings: dict[str, Any] | None = None,
    use_cpu: bool = False,
    hardware: Hardware | None = None,
    dataset: DatasetReport | None = None,
    model: Identity | None = None,
    preset: PresetFile | None = None,
    **more: Any,
) -> Facts:
    """Facts for a plan.

    Args:
        vram_gib: None is a machine without a card.
        settings: chosen by name, as values or as typed.
        more: `sizes`, `captions`, `folders` go to `make_dataset`; `layout`, `zero_terminal_snr`, `trainable` and the
            like to `make_identity`; all else (`free_gib`, `compute_capability`, `gpu_name`, ...) to `make_hardware`.
    """
    pictures = {key: more.pop(key) for key in ("sizes", "captions", "folders", "problems") if key in more}
    base = {key: more.pop(key) for key in list(more) if key in Identity.__dataclass_fields__}
    known = family_of(family) if family else None
    predicts = known.prediction if known and known.trainable and known.fixed_prediction else prediction
    base |= {"lineage": lineage, "prediction": predicts}
    if structure is not None:
        base["structure"] = structure
    answers = Answers(
        name=name,
        trigger=trigger,
        subject=subject,
        goal=goal,
        advice=advice,
        use_cpu=use_cpu,
        settings=parse_settings(settings or {}),
    )
    return Facts(
        hardware or make_hardware(vram_gib, **more),
        dataset or make_dataset(num_images, **pictures),
        model or make_identity(family, **base),
        answers,
        preset,
    )


def make_plan_for(**fields: Any) -> Plan:
    """The plan for `make_facts(...)`."""
    return make_plan(make_facts(**fields))


def make_plan_config(**fields: Any) -> TrainingConfig:
    """The settled configuration for `make_facts(...)`."""
    return make_plan_for(**fields).config
