"""The training steps that are timed: ours as the trainer makes them, and the recipe's. Weights are random."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from advisor.families.structure import Structure
from benchmarks.gpu.cases import RANK, Case
from trainer.adapters.network import Network
from trainer.data.conditioning import Text, Texts
from trainer.data.crops import Crops
from trainer.data.training_set import SampleRef, TrainingSet
from trainer.device.choose import COMPUTE_DTYPES, free_memory
from trainer.device.mover import mover_for
from trainer.device.swapped_blocks import swap_blocks
from trainer.layers.quantised_layers import quantise
from trainer.models.families import TRAINER_FAMILIES
from trainer.models.families.family import BaseModel, Conditioning
from trainer.optim.optimizer import TRAINED_PARTS, make_optimizer, trained_groups
from trainer.optim.schedule import Schedule
from trainer.training.context import TrainingContext
from trainer.training.stepper import Stepper

if TYPE_CHECKING:
    from advisor.settings.config import TrainingConfig

Step = Callable[[int], Callable[[], float]]
"""Makes the step of that number; what it returns waits for the loss."""
ADAPTED = ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out")
"""The layers of a U-Net that ours has adapters on, by the names that peft is given."""
ADAPTED_IN_TEXT = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")


class _Pictures:
    """A batch of random latents with their text, in place of caches; the same each time."""

    def __init__(self, latents: Tensor, text: Text, side_px: int) -> None:
        self.latents, self.texts = _Returning(latents), cast("Texts", _Returning(text))
        self.crops = cast(
            "Crops", _Sizes(torch.tensor([[side_px, side_px, 0, 0, side_px, side_px]], dtype=torch.float32))
        )

    def loss_weights(self, refs: Sequence[SampleRef], _prior_weight: float) -> Tensor:
        return torch.ones(len(refs))


class _Returning:
    def __init__(self, value: Any) -> None:
        self._value = value

    def of(self, _refs: Sequence[SampleRef], _epoch: int) -> Any:
        return self._value


class _Sizes:
    def __init__(self, size: Tensor) -> None:
        self._size = size

    def sizes(self, refs: Sequence[SampleRef], _epoch: int) -> Tensor:
        return self._size.repeat(len(refs), 1)


def loracle_step(case: Case, device: torch.device, *, tiny: bool) -> Step:
    """Ours: the trainer's `Stepper` with its optimizer, clipping and late losses."""
    config = case.config()
    base, pictures = _base_and_pictures(case, config, device, tiny=tiny)
    trains_text = config.optimizer.trains_text_encoder
    network = Network.attach(base, config.network, text_encoder=trains_text, generator=torch.Generator())
    network.to(device)
    if case.checkpointing:
        base.family.enable_gradient_checkpointing(base, text_encoder=trains_text)
    if case.way == "compiled":
        base.denoiser.compile_repeated_blocks(dynamic=False)
    groups = trained_groups(config.optimizer, {part: network.parameters_of(part) for part in TRAINED_PARTS})
    optimizer = make_optimizer(config.optimizer, groups, device=device, relative_step=False, warn=_silent)
    data = pictures.latents, pictures.texts, pictures.crops, device, cast("TrainingSet", pictures)
    stepper = Stepper(TrainingContext(config, base, network, *data), groups, optimizer, Schedule("constant", 1000))
    refs = tuple(SampleRef(0, number) for number in range(case.batch_size))

    def step(number: int) -> Callable[[], float]:
        result = stepper.step([refs], step=number, epoch=0)
        return lambda: result.loss

    return step


def recipe_step(case: Case, device: torch.device, *, tiny: bool) -> Step:
    """As diffusers' example scripts train a U-Net: peft's adapters in float32 under autocast, torch's plain AdamW."""
    from diffusers import DDPMScheduler
    from diffusers.models.attention_processor import AttnProcessor2_0
    from peft import LoraConfig, inject_adapter_in_model

    base, pictures = _base_and_pictures(case, case.config(), device, tiny=tiny)
    unet, dtype = base.denoiser, COMPUTE_DTYPES[case.dtype]
    unet.set_attn_processor(AttnProcessor2_0())
    adapted = [(unet, ADAPTED), *((encoder, ADAPTED_IN_TEXT) for encoder in base.text_encoders)]
    for network, targets in adapted:
        settings = LoraConfig(r=RANK, lora_alpha=RANK // 2, target_modules=list(targets))
        inject_adapter_in_model(settings, network)
    parameters = [one for network, _ in adapted for one in network.parameters() if one.requires_grad]
    for parameter in parameters:
        parameter.data = parameter.data.float()
    if case.checkpointing:
        base.family.enable_gradient_checkpointing(base, text_encoder=bool(base.text_encoders))
    optimizer = torch.optim.AdamW(parameters, lr=1e-4)
    scaler = torch.amp.GradScaler(device.type, enabled=case.dtype == "float16")
    scheduler = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    latents = pictures.latents.of((), 0).to(device)
    sizes = pictures.crops.sizes((SampleRef(0, 0),) * case.batch_size, 0).to(device)
    text: Text = pictures.texts.of((), 0)

    def step(_number: int) -> Callable[[], float]:
        noise = torch.randn_like(latents)
        times = torch.randint(0, 1000, (case.batch_size,), device=device)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            states = text.states or base.family.encode_text(base, [ids.to(device) for ids in text.token_ids])
            noisy = scheduler.add_noise(latents, noise, times).to(dtype)
            predicted = base.family.predict(base, noisy, times, states.to(device), sizes)
        loss = torch.nn.functional.mse_loss(predicted.float(), noise)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)
        return lambda: float(loss.detach())

    return step


def _base_and_pictures(
    case: Case, config: TrainingConfig, device: torch.device, *, tiny: bool
) -> tuple[BaseModel, _Pictures]:
    """The networks that a step needs, on the device, and a batch; nothing else is left there."""
    known, structure = TRAINER_FAMILIES[case.family], case.structure(tiny=tiny)
    torch.manual_seed(0)
    base = known.build(structure, dtype=COMPUTE_DTYPES[case.dtype], vae_dtype=torch.float32, device=device)
    base = replace(base, vae=None)
    if config.memory.quantised is not None:
        quantise(base.denoiser, config.memory.quantised)
    swap_blocks(base.denoiser, structure, config, mover_for(device))
    text = _text(case, base, structure, config, device)
    if text.states is not None:
        base = replace(base, text_encoders=())
    latents = torch.randn(case.batch_size, *known.latent_shape(structure, case.side_px, case.side_px))
    free_memory(device)
    return base, _Pictures(latents, text, case.side_px)


def _text(case: Case, base: BaseModel, structure: Structure, config: TrainingConfig, device: torch.device) -> Text:
    ids = base.family.blank_tokens(structure, case.batch_size, chunks=config.dataset.chunks)
    if not config.memory.cache_text:
        return Text(token_ids=ids)
    with torch.no_grad():
        states = base.family.encode_text(base, [one.to(device) for one in ids])
    return Text(states=Conditioning({name: one.cpu() for name, one in states.tensors.items()}))


def _silent(_code: str, _message: str) -> None:
    """Drop the warning."""


STEPS: dict[str, Callable[..., Step]] = {"loracle": loracle_step, "compiled": loracle_step, "recipe": recipe_step}
