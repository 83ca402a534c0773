"""What a model file is, as facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from advisor.checkpoints.dora_axis import DoraAxis
from advisor.families.part_files import PartKind
from advisor.families.structure import Prediction, Structure
from advisor.units import size

FileKind = Literal["checkpoint", "lora", "vae", "text_encoder", "controlnet", "embedding", "unknown"]
Lineage = Literal["nai", "anylora", "anime", "illustrious", "noobai", "animagine", "pony", "none"]
CheckpointPart = Literal["denoiser", "vae", "text_encoder"]


@dataclass(frozen=True)
class PartFile:
    """A part of a base model that its makers publish as a file of its own."""

    kind: PartKind
    path: str | None
    """Where it lies; the base model's own file where that is a bundle, its folder where it is a diffusers folder; None:
    it was not found."""
    others: tuple[str, ...]
    """Further files that would do, the nearest first."""
    file_name: str
    """What its makers call the file."""
    file_bytes: int
    """Of that file, about."""

    @property
    def title(self) -> str:
        """As a message calls it."""
        return {"text_encoder": "text encoder", "vae": "VAE"}[self.kind]

    @property
    def to_get(self) -> str:
        """The file to get where it was not found."""
        return f"{self.file_name} ({size(self.file_bytes)})"


@dataclass(frozen=True)
class Identity:
    """What `identify` found in a file's header or a folder's JSON; None where the file cannot tell."""

    path: str
    kind: FileKind
    layout: Literal["single_file", "diffusers"] = "single_file"
    family: str | None = None
    variant: str | None = None
    prediction: Prediction | None = None
    prediction_reason: str = ""
    """What the prediction type was read from, e.g. `the key v_pred`."""
    zero_terminal_snr: bool = False
    """The file carries the mark `ztsnr`."""
    lineage: Lineage | None = None
    """Guessed from metadata and name; a name proves little, so the wizard asks."""
    lineage_reason: str = ""
    dtype: str | None = None
    """`float16`, `bfloat16`, `float32`, `float8_e4m3fn`, `nf4` ...: the dtype most bytes have."""
    parts: tuple[CheckpointPart, ...] = ()
    trainable: bool = False
    why_not: str = ""
    """One honest sentence, where it cannot be trained."""
    num_parameters: int = 0
    file_bytes: int = 0
    structure: Structure | None = None
    """For the families that we train; None where the file holds too little to tell."""
    part_files: tuple[PartFile, ...] = ()
    """The parts that this family's makers publish as files of their own, found or not; none for other families."""
    metadata_title: str | None = None
    adapter: str | None = None
    """`lora`, `locon`, `loha`, `lokr`, `dora` ...: of a LoRA."""
    rank: int | None = None
    alpha: float | None = None
    dora_axis: DoraAxis | None = None
    """Of a DoRA: the side of each layer that it has lengths for."""
    trainer: str | None = None
    """The program that wrote the LoRA."""
    notes: tuple[str, ...] = ()
    """What a user should hear, e.g. a name that contradicts the contents."""
