"""A training step, plain and slow, with stock diffusers, transformers and peft; it shares no code with the trainer.

The adapters are put in place by diffusers' own loader, so that it also says where kohya's names belong.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline
from diffusers.training_utils import compute_snr
from torch import Tensor


@dataclass(frozen=True)
class Task:
    """What one step learns from."""

    latents: Tensor
    noise: Tensor
    timesteps: Tensor
    captions: Sequence[str]
    sizes: Tensor
    """[B, 6]"""
    prediction: str = "epsilon"
    zero_terminal_snr: bool = False
    min_snr_gamma: float = 0.0


class Oracle:
    """A pipeline with the LoRA's weights as parameters."""

    def __init__(self, folder: Path, lora: Mapping[str, Tensor]) -> None:
        self.pipeline = load_pipeline(folder)
        self.pipeline.load_lora_weights(dict(lora))
        self.parameters: list[torch.nn.Parameter] = []
        for network in self.networks:
            network.requires_grad_(False)
            for name, parameter in network.named_parameters():
                if ".lora_" in name:
                    parameter.requires_grad_(True)
                    self.parameters.append(parameter)

    @property
    def is_xl(self) -> bool:
        return isinstance(self.pipeline, StableDiffusionXLPipeline)

    @property
    def networks(self) -> list[Any]:
        found = [self.pipeline.unet, self.pipeline.text_encoder]
        return [*found, self.pipeline.text_encoder_2] if self.is_xl else found

    def loss(self, task: Task) -> Tensor:
        """The mean of the pictures' weighted losses."""
        scheduler = DDPMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            prediction_type=task.prediction,
            rescale_betas_zero_snr=task.zero_terminal_snr,
        )
        noisy = scheduler.add_noise(task.latents, task.noise, task.timesteps)
        states, pooled = self.text(task.captions)
        added = {"text_embeds": pooled, "time_ids": task.sizes} if self.is_xl else None
        answer = self.pipeline.unet(noisy, task.timesteps, states, added_cond_kwargs=added).sample
        wanted = task.noise
        if task.prediction == "v_prediction":
            wanted = scheduler.get_velocity(task.latents, task.noise, task.timesteps)
        each = (answer - wanted).square().mean(dim=(1, 2, 3))
        if task.min_snr_gamma:
            snr = compute_snr(scheduler, task.timesteps)
            each = each * snr.clamp(max=task.min_snr_gamma) / (snr + (task.prediction == "v_prediction"))
        mean: Tensor = each.mean()
        return mean

    def text(self, captions: Sequence[str]) -> tuple[Tensor, Tensor | None]:
        """Text states and, for SDXL, the pooled text."""
        first = self.pipeline.text_encoder(_ids(self.pipeline.tokenizer, captions), output_hidden_states=True)
        if not self.is_xl:
            return first.last_hidden_state, None
        second = self.pipeline.text_encoder_2(_ids(self.pipeline.tokenizer_2, captions), output_hidden_states=True)
        return torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1), second.text_embeds


def load_pipeline(folder: Path) -> Any:
    """The folder's pipeline in float32."""
    is_xl = (folder / "text_encoder_2").exists()
    kind = StableDiffusionXLPipeline if is_xl else StableDiffusionPipeline
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        more = {"add_watermarker": False} if is_xl else {"safety_checker": None, "requires_safety_checker": False}
        return kind.from_pretrained(folder, torch_dtype=torch.float32, local_files_only=True, **more)


def _ids(tokenizer: Any, captions: Sequence[str]) -> Tensor:
    length = tokenizer.model_max_length
    found: Tensor = tokenizer(
        list(captions), padding="max_length", max_length=length, truncation=True, return_tensors="pt"
    ).input_ids
    return found
