"""Data set, base model and hardware as sentences for the user."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.units import GIB, counted, first_of, gib, mib
from wizard.own_command import own_command

if TYPE_CHECKING:
    from advisor.checkpoints.identity import Identity
    from advisor.dataset.report import DatasetReport
    from advisor.machine.hardware import Gpu, Hardware

PROBLEMS_SHOWN = 5
"""The interview prints this many; `loracle check` prints all."""

IDENTITY_KINDS = {
    "lora": "a LoRA", "vae": "a VAE", "text_encoder": "a text encoder", "controlnet": "a ControlNet",
    "embedding": "an embedding", "unknown": "no model that I know",
}  # fmt: skip
"""What a file is that is no checkpoint."""

PREDICTIONS = {"epsilon": "predicts noise", "v_prediction": "predicts velocity (v-prediction)", "flow": "flow matching"}


def dataset_text(report: DatasetReport) -> str:
    """Number, sizes, captions and problems of the images, in a few lines."""
    lines = [f"{counted(report.num_images, 'picture')}, {sizes_text(report)}; {captions_text(report)}"]
    repeated = [folder for folder in report.folders if folder.repeats is not None]
    if repeated:
        examples = ", ".join(f"{folder.path} ({folder.num_images} x {folder.repeats})" for folder in repeated[:4])
        lines.append(f"Folders with repeats in their names keep them: {examples}{', ...' if len(repeated) > 4 else ''}")
    if report.num_captioned == 0:
        lines.append(
            "Each is trained on the trigger word alone, so that clothes, poses and backgrounds become part of it: "
            "captions name what shall stay changeable."
        )
    if report.problems:
        lines.append(f"{counted(len(report.problems), 'thing')} to look at:")
    first = first_of(report.problems, PROBLEMS_SHOWN)
    lines += [f"- {problem.path}: {problem.message}" for problem in first]
    if rest := len(report.problems) - len(first):
        lines.append(f"and {rest} more: {own_command('check', Path(report.root))}")
    return "\n".join(lines)


def sizes_text(report: DatasetReport) -> str:
    """E.g. `512 x 512 to 1600 x 1200`, by area."""
    sizes = Counter((image.width_px, image.height_px) for image in report.image_files)
    small, large = (choose(sizes, key=lambda size: (size[0] * size[1], size)) for choose in (min, max))
    if small == large:
        return f"all {small[0]} x {small[1]}"
    return f"{small[0]} x {small[1]} to {large[0]} x {large[1]}"


def captions_text(report: DatasetReport) -> str:
    """How many images have captions, and of which kind."""
    if report.num_captioned == 0:
        return "none has a caption"
    kind = "tags" if report.captions_are_tags else "sentences"
    share = "all" if report.num_captioned == report.num_images else str(report.num_captioned)
    return f"{share} with captions ({kind}, {report.caption_extension})"


def trigger_text(report: DatasetReport, trigger: str) -> str:
    """How many captions lack the trigger word; empty where all have it or there are no captions."""
    found = report.num_with_trigger(trigger)
    if report.num_captioned in (0, found):
        return ""
    missing = report.num_captioned - found
    has = "captions has" if missing == 1 else "captions have"
    return f'{missing} of {report.num_captioned} {has} no "{trigger}", the word that calls the LoRA up.'


def identity_text(identity: Identity) -> str:
    """The base model in a line, its notes in further ones."""
    from advisor.families import KNOWN_FAMILIES

    family = KNOWN_FAMILIES.get(identity.family or "")
    known = [family.title if family else "unknown family"]
    known += [identity.variant] if identity.variant else []
    known += [PREDICTIONS[identity.prediction]] if identity.prediction else []
    known += [identity.dtype] if identity.dtype else []
    known += [size_text(identity.file_bytes)] if identity.file_bytes else []
    return "\n".join([", ".join(known), *identity.notes])


def gpu_text(gpu: Gpu) -> str:
    """E.g. `NVIDIA GeForce RTX 3070, 8.0 GiB (7.1 GiB free)`."""
    memory = f"{gib(gpu.total_bytes)} ({gib(gpu.free_bytes)} free)" if gpu.total_bytes > 0 else "memory unknown"
    return f"{gpu.name}, {memory}{'' if gpu.is_tested else ', untested by us'}"


def machine_text(hardware: Hardware) -> str:
    """CPU, RAM and free disk space in a line."""
    return (
        f"{hardware.cpu_name or 'Processor'}: {counted(hardware.cpu_threads, 'thread')}, "
        f"{gib(hardware.ram_bytes)} of memory, {gib(hardware.disk_free_bytes)} free on the disk."
    )


def size_text(number_bytes: int) -> str:
    """In GiB from one on, in MiB below."""
    return gib(number_bytes) if number_bytes >= GIB else mib(number_bytes)
