"""U-Net and text encoder, trained together from nothing on the encoded drawings.

Letters: B pictures, C latent channels, H x W latent pixels.
"""

import copy
import random
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from benchmarks.demo_model.data import caption
from benchmarks.demo_model.tokenizer import MAX_LENGTH
from benchmarks.demo_model.training import Budget, Stage, batches_of, optimizers, update

BATCH = 24
MUON_RATE, ADAM_RATE = 0.0075, 1.5e-3
WARMUP_STEPS = 60
DECAY_SHARE = 0.4
"""The rates fall linearly over this last share of the training."""
EMA_DECAY = 0.998
MIN_SNR_GAMMA = 5.0
WIDTH = 128
APART = ("conv_in", "conv_out", "token_embedding", "position_embedding")


@dataclass(frozen=True)
class Encoded:
    """What the VAE made of the base pictures: means and deviations [N, C, H, W], and the factor to unit variance."""

    means: Tensor
    deviations: Tensor
    scale: float
    tags: list[list[str]]

    def sample(self, chosen: Tensor) -> Tensor:
        """Latents [B, C, H, W] of unit variance, drawn anew each time."""
        mean, deviation = self.means[chosen].float(), self.deviations[chosen].float()
        return (mean + deviation * torch.randn_like(mean)) * self.scale


class Base(nn.Module):
    """The two parts that learn tags."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        super().__init__()
        self.unet = UNet2DConditionModel(
            sample_size=16,
            in_channels=8,
            out_channels=8,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            block_out_channels=(80, WIDTH),
            layers_per_block=1,
            attention_head_dim=4,
            norm_num_groups=8,
            cross_attention_dim=WIDTH,
        )
        self.text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=WIDTH,
                intermediate_size=2 * WIDTH,
                projection_dim=WIDTH,
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=MAX_LENGTH,
                hidden_act="quick_gelu",
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )

    def forward(self, noisy: Tensor, times: Tensor, tokens: Tensor) -> Tensor:
        """The predicted velocity [B, C, H, W]."""
        text = self.text_encoder(tokens).last_hidden_state
        predicted: Tensor = self.unet(noisy, times, text, return_dict=False)[0]
        return predicted


def new_scheduler() -> DDIMScheduler:
    """Stable Diffusion's noise schedule with v-prediction; trailing spacing begins in full noise."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
    )


def velocity_loss(base: Base, latents: Tensor, tokens: Tensor, kept_share: Tensor) -> Tensor:
    """The weighted mean square error of the velocity.

    v = sqrt(a) noise - sqrt(1 - a) latents: Salimans & Ho 2022, section 4: arxiv.org/abs/2202.00512;
    weight min(snr, 5) / (snr + 1): min-SNR for v, Hang et al. 2023, section 3.4: arxiv.org/abs/2303.09556.
    The times are stratified: each picture's lies in its own share of the range.

    Args:
        kept_share: The schedule's cumulated alphas, one for each time.
    """
    size = len(latents)
    times = ((torch.arange(size) + torch.rand(size)) / size * len(kept_share)).long()
    share = kept_share[times][:, None, None, None]
    noise = torch.randn_like(latents)
    noisy = share.sqrt() * latents + (1 - share).sqrt() * noise
    velocity = share.sqrt() * noise - (1 - share).sqrt() * latents
    with torch.autocast("cpu", torch.bfloat16):
        predicted = base(noisy, times, tokens)
    snr = kept_share[times] / (1 - kept_share[times])
    weight = snr.clamp(max=MIN_SNR_GAMMA) / (snr + 1)
    loss: Tensor = ((predicted.float() - velocity).square().mean((1, 2, 3)) * weight).mean()
    return loss


def train(encoded: Encoded, tokenizer: CLIPTokenizer, folder: Path, budget: Budget, seed: int) -> Base:
    """The trained pair: the running mean of its weights (EMA)."""
    torch.manual_seed(seed)
    base = Base(tokenizer)
    mean = copy.deepcopy(base).requires_grad_(False)
    pair = optimizers(base, MUON_RATE, ADAM_RATE, APART)
    held: dict[str, nn.Module | torch.optim.Optimizer] = {
        "base": base,
        "mean": mean,
        **{f"optimizer{i}": part for i, part in enumerate(pair)},
    }
    stage = Stage("denoiser", folder, budget, held)
    kept_share = new_scheduler().alphas_cumprod
    batches = batches_of(len(encoded.tags), BATCH, seed, stage.step)
    running = 0.0
    for step in stage.steps():
        torch.manual_seed(seed * 1_000_003 + step)
        dice, chosen = random.Random(seed * 1_000_003 + step), next(batches)
        captions = [caption(encoded.tags[index], dice) for index in chosen.tolist()]
        tokens = tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
        stage.set_rates(min(1.0, (step + 1) / WARMUP_STEPS, (1 - stage.progress) / DECAY_SHARE))
        loss = velocity_loss(base, encoded.sample(chosen), tokens, kept_share)
        update(base, pair, loss)
        share = min(EMA_DECAY, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(mean.parameters()), list(base.parameters()), 1 - share)
        running = loss.item() if running == 0.0 else 0.98 * running + 0.02 * loss.item()
        if step % 50 == 0:
            stage.log(loss=running)
    return mean
