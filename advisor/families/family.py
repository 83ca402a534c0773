"""What a model family is: its facts, how it is recognised, and which of its layers get an adapter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from advisor.errors import ModelError
from advisor.families.coefficients import CallCoefficients, FlopCoefficients, MemoryCoefficients
from advisor.families.language_model import LinearLayers
from advisor.families.part_files import PartKind, SeparatePart
from advisor.families.signature import Signature, Tensors
from advisor.families.structure import LoraTarget, Prediction, Structure

LayerNames = Literal["kohya", "original"]
"""What a LoRA file calls layers: `lora_unet_...`, as kohya's trainers do, or as the base model's own file does."""
TargetMaker = Callable[[Any, bool], tuple[LoraTarget, ...]]
"""(the family's own kind of structure, with convolutions) -> layers, in kohya's order."""
StructureReader = Callable[[Tensors], Structure | None]
"""(all tensors of a single file) -> its measures; None when the file holds too little or is built otherwise."""
FolderReader = Callable[[Mapping[str, Tensors]], Structure | None]
"""(the tensors of each subfolder of a diffusers folder) -> its measures; None likewise."""
PartsReader = Callable[[Any, Mapping[PartKind, Tensors]], Structure]
"""(measures, tensors of the parts that are files of their own, as far as found) -> measures with theirs."""
VariantReader = Callable[[Tensors], str | None]
"""(the denoiser's tensors without the prefix) -> what kind within the family."""


@dataclass(frozen=True)
class Distilled:
    """A model that was made of the family's own to draw in few steps, which training would undo.

    Its tensors do not tell it, so that names and a diffusers folder's scheduler are asked.
    """

    title: str
    """As people write it, e.g. `Turbo`."""
    pattern: str
    """Found in lower case in its name, and not in those of models from which the distillation was taken again."""
    steps: int
    """In which it draws."""
    scheduler_shift: float
    """In its diffusers folder's scheduler."""
    base_file: str
    """What the makers call the file to train on instead."""


@dataclass(frozen=True)
class Family:
    """An architecture, whether it can be trained yet or is only recognised."""

    name: str
    title: str
    """As people write it, e.g. `SDXL`."""
    native_px: int = 1024
    """The side of the square it was trained at."""
    prediction: Prediction | None = "flow"
    """What its models predict; where both kinds exist, the usual one."""
    fixed_prediction: bool = True
    """All of its models predict the same, so a file need not tell."""
    sampling_shift: float = 1.0
    """The shift that pictures are drawn with by flow matching, whatever the one that is trained with."""
    trainable: bool = False
    """This version trains it: the one place that says so."""
    signatures: tuple[Signature, ...] = ()
    """Any of them tells a single file's denoiser; the first that fits names the variant."""
    classes: tuple[str, ...] = ()
    """Its denoiser's class in diffusers, where the class alone or with `folder_parts` tells the family."""
    folder_parts: tuple[str, ...] = ()
    """Further networks that its diffusers folder has, each in a subfolder of that name, where the class is shared."""
    standard: Structure | None = None
    """The published model's measures."""
    memory_coefficients: MemoryCoefficients | None = None
    """How much the published model keeps while it works."""
    flop_coefficients: FlopCoefficients | None = None
    """How much the published model computes in a step."""
    call_coefficients: CallCoefficients | None = None
    """How many operations torch dispatches in a step of the published model."""
    version: str | None = None
    """`ss_base_model_version` in kohya's metadata."""
    lora_architecture: str | None = None
    """`modelspec.architecture` of a LoRA for it."""
    v_version: str | None = None
    """`ss_base_model_version` where the base predicts v, if it differs."""
    v_lora_architecture: str | None = None
    """`modelspec.architecture` of a LoRA where the base predicts v, if it differs."""
    lora_implementation: str = "diffusers"
    """`modelspec.implementation` of a LoRA for it: whose networks the adapters are for."""
    lora_programs: tuple[str, ...] = ()
    """The programs that draw with its LoRAs; empty: all that are known of."""
    lora_module: str = "networks.lora"
    """kohya's module of such LoRAs (`ss_network_module`)."""
    has_convolutions: bool = True
    """Its denoiser has convolutions of 3 x 3, which LoCon adapts."""
    layer_names: LayerNames = "kohya"
    """What programs that draw with such LoRAs call the layers in their files."""
    num_text_encoders: int = 1
    middle_blocks: int = 1
    """As how many blocks kohya counts the U-Net's middle."""
    caption_tokens: int | None = None
    """Most tokens of a caption, where it is read whole; None: as `dataset.max_tokens` says."""
    text_before_denoiser: bool = False
    """All captions are read before the denoiser is loaded, so that it never lies beside the text encoder."""
    quantised_text: Callable[[Any], LinearLayers] | None = None
    """(structure) -> what of its text encoder is kept in int8 on a base in fewer bits; None: nothing is."""
    reads_scaled_float8: bool = False
    """Weights in 8-bit floats with a factor are brought back to 16 bits when they are loaded."""
    separate_parts: tuple[SeparatePart, ...] = ()
    """The networks beside the denoiser that its makers publish as files of their own."""
    targets: TargetMaker | None = None
    text_adapter_targets: Callable[[Any], tuple[LoraTarget, ...]] | None = None
    """(structure) -> the layers between text encoder and denoiser; None: the family has none."""
    other_targets: Callable[[Any], tuple[LoraTarget, ...]] | None = None
    """(structure) -> layers that files of other trainers may have adapters for, and ours never; None: not known."""
    packed_targets: Callable[[Any], tuple[LoraTarget, ...]] | None = None
    """(structure) -> the denoiser's layers that a quantised base has in fewer bits; None: all that a LoCon adapts."""
    of_blocks: Callable[[int], Structure] | None = None
    """(number) -> the published model's measures with so many blocks, where the family's models differ in that."""
    read_structure: StructureReader | None = None
    read_folder: FolderReader | None = None
    """None: by the folder's JSON, as U-Nets are."""
    read_parts: PartsReader | None = None
    read_variant: VariantReader | None = None
    distilled: Distilled | None = None
    """A model with the same layers that is not to be trained on."""

    def is_drawn_by(self, program: str) -> bool:
        """Whether a program for drawing takes its LoRAs."""
        return not self.lora_programs or program in self.lora_programs

    def has_separate(self, kind: PartKind) -> bool:
        """Whether its makers publish that part as a file of its own."""
        return any(part.kind == kind for part in self.separate_parts)

    def base_model_version(self, prediction: Prediction | None = None) -> str | None:
        """What kohya's `ss_base_model_version` says for such a base model."""
        return self.v_version if prediction == "v_prediction" and self.v_version else self.version

    def modelspec_architecture(self, prediction: Prediction | None = None) -> str | None:
        """What `modelspec.architecture` says of a LoRA for such a base model."""
        is_v = prediction == "v_prediction" and self.v_lora_architecture
        return self.v_lora_architecture if is_v else self.lora_architecture

    def lora_targets(
        self, structure: Structure, *, conv: bool = False, text_adapter: bool = False
    ) -> tuple[LoraTarget, ...]:
        """The layers that get an adapter, in kohya's names and order.

        Args:
            conv: with LoCon's convolutions, in families that have any.
            text_adapter: with the layers between text encoder and denoiser, in families that have any.

        Raises:
            ModelError: this version knows the family's layers not yet.
        """
        if self.targets is None:
            raise ModelError(f"the layers of {self.title} are not known to this version: choose an SD1.x base model")
        between = self.text_adapter_targets(structure) if text_adapter and self.text_adapter_targets else ()
        return between + self.targets(structure, conv)

    def all_targets(self, structure: Structure) -> tuple[LoraTarget, ...]:
        """Every layer that a LoRA of ours may have an adapter for."""
        return self.lora_targets(structure, conv=True, text_adapter=True)

    def packed_layers(self, structure: Structure) -> tuple[LoraTarget, ...]:
        """The denoiser's layers that are kept in fewer bits on a quantised base."""
        if self.packed_targets is not None:
            return self.packed_targets(structure)
        return tuple(target for target in self.lora_targets(structure, conv=True) if target.part == "unet")

    def known_layers(self, structure: Structure) -> tuple[LoraTarget, ...]:
        """Those, and the ones that only LoRAs of other trainers have an adapter for."""
        return self.all_targets(structure) + (self.other_targets(structure) if self.other_targets else ())

    def num_blocks(self, structure: Structure) -> int:
        """How many blocks can have a rank or a learning rate of their own."""
        return structure.num_blocks(self.middle_blocks)
