"""What a model file or folder is: its header, or its JSON files, and at most a few hundred numbers are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from advisor.checkpoints.diffusers_folder import identify_folder
from advisor.checkpoints.distilled import distilled_variant, notes_on_distilled, why_not_distilled
from advisor.checkpoints.identity import CheckpointPart, Identity, PartFile
from advisor.checkpoints.lineage import guess_lineage
from advisor.checkpoints.lora import find_lora, is_lora
from advisor.checkpoints.other_kinds import OtherFile, controlnet, family_of_context, other_file
from advisor.checkpoints.part_files import part_files, part_tensors
from advisor.checkpoints.prediction_type import find_prediction
from advisor.errors import ModelError
from advisor.families import KNOWN_FAMILIES, why_not_trainable
from advisor.families.family import Family
from advisor.families.sd2 import PREDICTION_TENSOR
from advisor.families.signature import PREFIXES, Tensors
from advisor.families.structure import Structure
from advisor.files import is_folder
from advisor.shown_text import short_text
from advisor.tensor_files.dtypes import num_parameters, quantised, weight_dtype
from advisor.tensor_files.header import Header, TensorInfo, read_floats, read_header
from advisor.tensor_files.scaled_fp8 import why_not_plain

_VAE_STARTS = ("first_stage_model.", "vae.")
_TEXT_STARTS = ("cond_stage_model.", "conditioner.embedders.", "text_encoders.")


def identify(path: Path) -> Identity:
    """What the file or diffusers folder at `path` is; None in a field that it cannot tell.

    Raises:
        ModelError: it cannot be read, is damaged, is a pickle, or is no model at all.
    """
    if is_folder(path):
        return identify_folder(path)
    header = read_header(path)
    identity = _identify(path, header)
    return replace(
        identity,
        dtype=weight_dtype(header.tensors),
        num_parameters=num_parameters(header.tensors),
        file_bytes=header.file_bytes,
        metadata_title=header.metadata.get("modelspec.title"),
    )


def _identify(path: Path, header: Header) -> Identity:
    tensors = header.tensors
    row = controlnet(tensors)
    if row is not None:
        return _other(path, header, row)
    found = _denoiser(tensors)
    if found is not None:
        known, prefix, own = found
        return _checkpoint(path, header, known, prefix=prefix, own=own)
    if is_lora(tensors):
        return _lora(path, header)
    row = other_file(tensors)
    return _other(path, header, row) if row is not None else _unknown(path, header)


def _denoiser(tensors: Mapping[str, TensorInfo]) -> tuple[Family, str, Tensors] | None:
    """(family, prefix of its denoiser, the denoiser's tensors without it)."""
    for prefix in PREFIXES:
        own = {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}
        for known in KNOWN_FAMILIES.values() if own else ():
            if any(signature.fits(own) for signature in known.signatures):
                return known, prefix, own
    return None


def _checkpoint(path: Path, header: Header, known: Family, *, prefix: str, own: Tensors) -> Identity:
    why_distilled = why_not_distilled(known, path, header.metadata)
    variant = (known.read_variant(own) if known.read_variant else None) or _marked_variant(known, own)
    variant = variant or distilled_variant(known, why_distilled)
    separate = part_files(path, header.tensors, known)
    structure = _structure(known, header.tensors, separate)
    parts = _parts(header.tensors)
    prediction = find_prediction(
        known, header.tensors, header.metadata, name=path.name, spread=_spread(path, header, known, prefix, variant)
    )
    lineage = guess_lineage(known.name, header.metadata, path.name)
    why_not = why_distilled or _why_not(known, variant, parts, structure, header.tensors)
    return Identity(
        path=str(path),
        kind="checkpoint",
        family=known.name,
        variant=variant,
        prediction=prediction.prediction,
        prediction_reason=prediction.reason,
        zero_terminal_snr=prediction.zero_terminal_snr,
        lineage=lineage.lineage,
        lineage_reason=lineage.reason,
        parts=parts,
        trainable=not why_not,
        why_not=why_not,
        structure=structure,
        part_files=separate,
        notes=prediction.notes + lineage.notes + _notes(known, parts, header.tensors),
    )


def _structure(known: Family, tensors: Tensors, separate: tuple[PartFile, ...]) -> Structure | None:
    """The measures of the file's networks and of those in files of their own, as far as these are found."""
    structure = known.read_structure(tensors) if known.read_structure else None
    if structure is None or known.read_parts is None:
        return structure
    return known.read_parts(
        structure, {part.kind: part_tensors(Path(part.path)) for part in separate if part.path is not None}
    )


def _marked_variant(known: Family, own: Tensors) -> str | None:
    return next((signature.variant for signature in known.signatures if signature.fits(own)), None)


def _spread(path: Path, header: Header, known: Family, prefix: str, variant: str | None) -> tuple[float, ...] | None:
    """The values that tell SD2's two kinds apart; they say nothing for inpainting and the like."""
    return read_floats(path, header, prefix + PREDICTION_TENSOR) if known.name == "sd2" and variant is None else None


def _parts(tensors: Mapping[str, TensorInfo]) -> tuple[CheckpointPart, ...]:
    parts: list[CheckpointPart] = ["denoiser"]
    if any(name.startswith(_VAE_STARTS) for name in tensors):
        parts.append("vae")
    if any(name.startswith(_TEXT_STARTS) for name in tensors):
        parts.append("text_encoder")
    return tuple(parts)


def _why_not(
    known: Family,
    variant: str | None,
    parts: tuple[CheckpointPart, ...],
    structure: Structure | None,
    tensors: Mapping[str, TensorInfo],
) -> str:
    """The one sentence that says why it cannot be trained; empty if it can."""
    packed = _why_packed(known, tensors)
    if not known.trainable:
        return why_not_trainable(known)
    if variant is not None:
        return f"it is the {variant} variant of {known.title}, which this version does not train: choose a plain one"
    if packed:
        return packed
    if "text_encoder" not in parts and not known.has_separate("text_encoder"):
        has = "the denoiser with a VAE, but" if "vae" in parts else "the denoiser alone,"
        return f"it is {has} without a text encoder: choose the whole checkpoint, or the diffusers folder"
    if structure is None:
        return f"its layers are not those of a usual {known.title} model: it may be damaged, or be built otherwise"
    return ""


def _why_packed(known: Family, tensors: Mapping[str, TensorInfo]) -> str:
    """Why its weights are no numbers that can be trained on; empty where they are."""
    if known.reads_scaled_float8:
        fault = why_not_plain(tensors)
        return f"{fault}: choose the same model in 16 bits, or in plain or scaled float8" if fault else ""
    packed = quantised(tensors)
    return f"its weights are quantised ({packed}): choose the same model in 16 or 32 bits" if packed else ""


def _notes(known: Family, parts: tuple[CheckpointPart, ...], tensors: Mapping[str, TensorInfo]) -> tuple[str, ...]:
    notes: list[str] = []
    if known.trainable and "vae" not in parts and not known.has_separate("vae"):
        notes.append("it has no VAE: name one with model.vae_path")
    if is_lora(tensors):
        notes.append("it still holds tensors of a LoRA that was merged into it; they are passed over")
    return (*notes, *(notes_on_distilled(known) if known.trainable else ()))


def _lora(path: Path, header: Header) -> Identity:
    def read_scalar(name: str) -> float | None:
        values = read_floats(path, header, name, limit=1)
        return values[0] if values else None

    found = find_lora(header.tensors, header.metadata, read_scalar)
    lineage = guess_lineage(found.family, header.metadata, None)
    base = header.metadata.get("ss_sd_model_name")
    trained_on = f" that it was trained on ({base})" if base else ""
    return Identity(
        path=str(path),
        kind="lora",
        family=found.family,
        prediction=found.prediction,
        prediction_reason="its layers and metadata" if found.prediction else "",
        lineage=lineage.lineage,
        lineage_reason=lineage.reason,
        why_not=f"it is a LoRA and no base model: choose the checkpoint{trained_on}",
        adapter=found.adapter,
        rank=found.rank,
        alpha=found.alpha,
        dora_axis=found.dora_axis,
        trainer=found.trainer,
        notes=found.notes,
    )


def _other(path: Path, header: Header, row: OtherFile) -> Identity:
    family = row.family or (family_of_context(header.tensors) if row.kind == "controlnet" else None)
    parts: tuple[CheckpointPart, ...] = (row.kind,) if row.kind in ("vae", "text_encoder") else ()
    return Identity(
        path=str(path),
        kind=row.kind,
        family=family,
        variant=row.signature.variant,
        parts=parts,
        why_not=f"it is {row.title} and no base model: {row.mend}",
    )


def _unknown(path: Path, header: Header) -> Identity:
    if not header.tensors:
        raise ModelError(f"{path} holds no tensors at all: it was saved empty; choose another file")
    first = short_text(next(iter(header.tensors)))
    return Identity(
        path=str(path),
        kind="unknown",
        why_not=f"its {len(header.tensors)} tensors (the first is {first}) are those of no model known to this version",
    )
