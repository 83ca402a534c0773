"""What a model file is, as facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from advisor.checkpoints.dora_axis import DoraAxis
from advisor.families.structure import Prediction, Structure

FileKind = Literal["checkpoint", "lora", "vae", "text_encoder", "controlnet", "embedding", "unknown"]
Lineage = Literal["nai", "anylora", "anime", "illustrious", "noobai", "animagine", "pony", "none"]
CheckpointPart = Literal["denoiser", "vae", "text_encoder"]


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
