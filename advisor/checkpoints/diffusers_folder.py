"""What a diffusers folder is, from its JSON files and the headers of its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from advisor.checkpoints.diffusers_json import ModelJson, read_model_json
from advisor.checkpoints.diffusers_structure import FolderJson, Unusual, folder_structure
from advisor.checkpoints.distilled import distilled_variant, why_not_distilled
from advisor.checkpoints.identity import CheckpointPart, Identity, PartFile
from advisor.checkpoints.lineage import guess_lineage
from advisor.checkpoints.prediction_type import prediction_word
from advisor.errors import ModelError
from advisor.families import KNOWN_FAMILIES, why_not_trainable
from advisor.families.family import Family
from advisor.families.ldm import VARIANT_OF_INPUTS
from advisor.families.signature import Tensors
from advisor.families.stable_diffusion import StableDiffusionStructure
from advisor.families.structure import Prediction, Structure
from advisor.files import is_file, is_folder
from advisor.same_place import resolved
from advisor.shown_text import short, short_text
from advisor.tensor_files.dtypes import num_parameters, quantised, weight_dtype
from advisor.tensor_files.header import Header, read_header
from advisor.units import named

DENOISERS = ("unet", "transformer", "prior", "decoder")
TEXT_ENCODERS = ("text_encoder", "text_encoder_2", "text_encoder_3")


@dataclass(frozen=True)
class _Weights:
    """The weight files of one part."""

    headers: tuple[Header, ...]
    only_pickles: bool = False

    @property
    def are_there(self) -> bool:
        return bool(self.headers)

    @property
    def tensors(self) -> Tensors:
        return {name: tensor for header in self.headers for name, tensor in header.tensors.items()}


def identify_folder(folder: Path) -> Identity:
    """What the diffusers folder is.

    Raises:
        ModelError: it is no diffusers folder, or a file in it cannot be read.
    """
    index = read_model_json(folder / "model_index.json")
    denoiser = next((name for name in DENOISERS if is_file(folder / name / "config.json")), None)
    if index is None and denoiser is None:
        raise ModelError(_no_model(folder))
    if denoiser is None:
        raise ModelError(
            f"{folder} has a model_index.json and no unet/config.json or transformer/config.json: download it again"
        )
    config = read_model_json(folder / denoiser / "config.json")
    assert config is not None, "it was there a moment ago"
    known = _family(folder, config)
    parts = (denoiser, *(known.folder_parts if known else ()), "vae", *TEXT_ENCODERS)
    weights = {name: _weights(folder / name) for name in parts}
    prediction, reason, zero_snr, notes = _prediction(folder, known)
    structure, unusual = _structure(folder, config, known, prediction, weights)
    lineage = guess_lineage(known.name if known else None, {}, resolved(folder).name)
    inputs = config.table.get("in_channels")
    variant = VARIANT_OF_INPUTS.get(inputs) if isinstance(inputs, int) and denoiser == "unet" else None
    variant = None if _takes_latents_alone(structure) else variant
    headers = [header for part in weights.values() for header in part.headers]
    tensors = {f"{number}/{name}": one for number, header in enumerate(headers) for name, one in header.tensors.items()}
    why_distilled = "" if known is None else why_not_distilled(known, folder.absolute(), {})
    variant = variant or (None if known is None else distilled_variant(known, why_distilled))
    why_not = why_distilled or _why_not(known, variant, unusual, weights, denoiser)
    return Identity(
        path=str(folder),
        kind="checkpoint",
        layout="diffusers",
        family=known.name if known else None,
        variant=variant,
        prediction=prediction,
        prediction_reason=reason,
        zero_terminal_snr=zero_snr,
        lineage=lineage.lineage,
        lineage_reason=lineage.reason,
        dtype=weight_dtype(tensors),
        parts=_parts(weights, denoiser),
        trainable=not why_not,
        why_not=why_not,
        num_parameters=num_parameters(tensors),
        file_bytes=sum(header.file_bytes for header in headers),
        structure=structure,
        part_files=_part_files(folder, known, weights),
        notes=notes + lineage.notes,
    )


def _no_model(folder: Path) -> str:
    try:
        files = sorted(one.name for one in folder.iterdir() if one.suffix.lower() in (".safetensors", ".ckpt"))
    except OSError as error:
        return f"{folder} cannot be read: {error.strerror or error}; give yourself the right to read it"
    config = read_model_json(folder / "config.json")
    if config is not None and "_class_name" in config.table:
        kind = short_text(str(config.table["_class_name"]))
        return f"{folder} is one part of a diffusers folder ({kind}): give the folder above it"
    if files:
        return f"{folder} is a folder of model files and no diffusers model: give one of them, {named(files)}"
    return f"{folder} is no diffusers model: it has no model_index.json; give such a folder or a .safetensors file"


def _family(folder: Path, config: ModelJson) -> Family | None:
    """By the denoiser's class; of those that share one by what lies beside it, U-Nets by how they are built."""
    class_name = config.text("_class_name", "")
    if class_name != "UNet2DConditionModel":
        return next((known for known in KNOWN_FAMILIES.values() if _is_of(known, class_name, folder)), None)
    if config.table.get("addition_embed_type") == "text_time":
        is_refiner = config.table.get("projection_class_embeddings_input_dim") == 2560
        return KNOWN_FAMILIES["sdxl_refiner" if is_refiner else "sdxl"]
    if config.table.get("addition_embed_type") is not None:
        return None
    return KNOWN_FAMILIES["sd2" if config.flag("use_linear_projection", False) else "sd1"]


def _is_of(known: Family, class_name: str, folder: Path) -> bool:
    return class_name in known.classes and all(is_file(folder / part / "config.json") for part in known.folder_parts)


def _part_files(folder: Path, known: Family | None, weights: dict[str, _Weights]) -> tuple[PartFile, ...]:
    """The parts that are files of their own elsewhere, which a folder has in subfolders."""
    return tuple(
        PartFile(
            part.kind,
            str((folder / part.kind).absolute()) if weights[part.kind].are_there else None,
            (),
            part.file_name,
            part.file_bytes,
        )
        for part in (known.separate_parts if known else ())
    )


def _prediction(folder: Path, known: Family | None) -> tuple[Prediction | None, str, bool, tuple[str, ...]]:
    """(prediction, where it was read, zero terminal SNR, notes)."""
    if known is not None and known.fixed_prediction:
        return known.prediction, f"all of {known.title} predict that", False, ()
    scheduler = read_model_json(folder / "scheduler" / "scheduler_config.json")
    if scheduler is None:
        return None, "there is no scheduler/scheduler_config.json", False, ()
    word = scheduler.text("prediction_type", "epsilon")
    prediction = prediction_word(word)
    zero_snr = scheduler.flag("rescale_betas_zero_snr", False)
    if prediction is None:
        note = f"its scheduler predicts {short(word)}, which this version does not know"
        return None, "scheduler/scheduler_config.json", zero_snr, (note,)
    return prediction, "scheduler/scheduler_config.json", zero_snr, ()


def _structure(
    folder: Path,
    config: ModelJson,
    known: Family | None,
    prediction: Prediction | None,
    weights: dict[str, _Weights],
) -> tuple[Structure | None, str]:
    """(measures, why there are none)."""
    if known is None or known.standard is None:
        return None, ""
    if known.read_folder is not None:
        return _by_weights(known, weights)
    vae = read_model_json(folder / "vae" / "config.json")
    found = [read_model_json(folder / name / "config.json") for name in TEXT_ENCODERS[: known.num_text_encoders]]
    texts = tuple(text for text in found if text is not None)
    if vae is None or len(texts) < len(found):
        lost = "vae" if vae is None else TEXT_ENCODERS[len(texts)]
        return None, f"there is no {lost}/config.json: download the whole folder again"
    try:
        return folder_structure(FolderJson(config, vae, texts), known.native_px, prediction), ""
    except Unusual as unusual:
        return None, f"{unusual}, which this version cannot train"


def _takes_latents_alone(structure: Structure | None) -> bool:
    """Whether its U-Net is given as many channels as its VAE's latents have, whatever their number."""
    if not isinstance(structure, StableDiffusionStructure):
        return False
    return structure.unet.in_channels == structure.vae.latent_channels


def _by_weights(known: Family, weights: dict[str, _Weights]) -> tuple[Structure | None, str]:
    """(measures, why there are none) of a family whose weights tell them."""
    assert known.read_folder is not None
    tensors = {name: part.tensors for name, part in weights.items() if part.are_there}
    structure = known.read_folder(tensors)
    if structure is None:
        return None, f"its layers are not those of a usual {known.title} model: download the whole folder again"
    parts = {part.kind: tensors[part.kind] for part in known.separate_parts if part.kind in tensors}
    return (known.read_parts(structure, parts) if known.read_parts else structure), ""


def _weights(folder: Path) -> _Weights:
    """The headers of one part's weights: the plain file, its shards, or another precision of it."""
    if not is_folder(folder):
        return _Weights(())
    for stem in ("diffusion_pytorch_model", "model"):
        whole = folder / f"{stem}.safetensors"
        if is_file(whole):
            return _Weights((read_header(whole),))
        shards = sorted(folder.glob(f"{stem}-*-of-*.safetensors"))
        if shards:
            return _Weights(tuple(read_header(shard) for shard in shards))
    others = sorted(folder.glob("*.safetensors"))
    if others:
        return _Weights((read_header(others[0]),))
    return _Weights((), only_pickles=any(folder.glob("*.bin")))


def _parts(weights: dict[str, _Weights], denoiser: str) -> tuple[CheckpointPart, ...]:
    found: list[CheckpointPart] = []
    if weights[denoiser].are_there:
        found.append("denoiser")
    if weights["vae"].are_there:
        found.append("vae")
    if any(weights[name].are_there for name in TEXT_ENCODERS):
        found.append("text_encoder")
    return tuple(found)


def _why_not(
    known: Family | None, variant: str | None, unusual: str, weights: dict[str, _Weights], denoiser: str
) -> str:
    """The one sentence that says why it cannot be trained; empty if it can."""
    if known is None:
        return "what kind of model it is cannot be told from its JSON files: choose an SD1.x base model"
    if not known.trainable:
        return why_not_trainable(known)
    if variant is not None:
        return f"it is the {variant} variant of {known.title}, which this version does not train: choose a plain one"
    if unusual:
        return unusual
    needed = (denoiser, *known.folder_parts, "vae", *TEXT_ENCODERS[: known.num_text_encoders])
    for name in needed:
        if weights[name].only_pickles:
            return f"{name}/ has only pickles (.bin): `loracle convert` makes .safetensors files of them"
        if not weights[name].are_there:
            return f"{name}/ has no .safetensors weights: download the whole folder again"
        if any(quantised(header.tensors) for header in weights[name].headers):
            return f"the weights in {name}/ are quantised: choose the model in 16 or 32 bits"
    return ""
