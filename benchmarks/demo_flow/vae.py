"""The VAE: of the Qwen-Image kind, narrow, trained on the demo's drawings.

Letters: B pictures, C latent channels, H x W pixels, h x w latent pixels; one frame each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl_qwenimage import QwenImageCausalConv3d, QwenImageResidualBlock
from torch import Tensor, nn
from torch.nn import functional

from advisor.families.video_vae import VideoVaeStructure
from benchmarks.demo_model.data import Pictures, Pixels
from benchmarks.demo_model.training import Budget, Stage, optimizers, update
from benchmarks.demo_model.vae import batch_of_both, picture_loss, psnr, to_tensor
from trainer.models.anima_networks import build_vae

STRUCTURE = VideoVaeStructure(width=16, latent_channels=16)
MUON_RATE, ADAM_RATE = 0.014, 2e-3
KL_WEIGHT = 1e-3
FIRST_LOG_VARIANCE = -5.0
CROP_SHARE = 0.75
"""Until this share of the training 64 px crops, then whole pictures, at which the middle's attention is used."""
REFINE_SHARE = 0.6
"""The second round begins with this share of the first one's rates."""
DECODER_SHARE = 0.5
REFINE_PEOPLE, REFINE_HELPERS = 2, 6
"""Pictures of either kind in the batches of the second and the third round."""
WARMUP_STEPS = 50
ENDS = ("conv_in", "conv_out", "quant_conv")
ENCODED_AT_ONCE = 32


class SingleFrameConv(QwenImageCausalConv3d):  # type: ignore[misc]
    """The same convolution on one frame: of the kernel's frames the last alone meets any pixels."""

    def forward(self, x: Tensor, cache_x: Tensor | None = None) -> Tensor:
        """Features [B, C', 1, H', W'] of [B, C, 1, H, W], as the class's own, in a third of the time."""
        assert cache_x is None
        assert x.shape[2] == 1
        left, _, top = self._padding[:3]
        kernel = self.weight[:, :, -1]
        return functional.conv2d(x[:, :, 0], kernel, self.bias, self.stride[1:], (top, left))[:, :, None]


class IdleBlock(QwenImageResidualBlock):  # type: ignore[misc]
    """A residual block that adds nothing, since its second convolution is 0; so nothing is computed either."""

    def forward(self, x: Tensor, feat_cache: object = None, feat_idx: object = None) -> Tensor:  # noqa: ARG002
        """The same features."""
        return x


class Codec(nn.Module):
    """The VAE as it is trained: pictures one by one, never as a film."""

    def __init__(self, structure: VideoVaeStructure = STRUCTURE) -> None:
        """An untrained one, initialised so that depth neither swells nor starves signals."""
        super().__init__()
        self.vae = cast("Any", build_vae(structure))
        for name, module in self.vae.named_modules():
            if isinstance(module, QwenImageCausalConv3d):
                module.__class__ = SingleFrameConv
                _initialise(module.weight[:, :, -1], module.bias, halved=name.endswith("conv2"))
                module.weight.data[:, :, :-1].zero_()
            elif isinstance(module, nn.Conv2d):
                _initialise(module.weight, module.bias)
        for level in self.vae.decoder.up_blocks:
            _idle(level.resnets[1:])
        _idle(block for block in self.vae.encoder.down_blocks if _keeps_width(block))
        channels = structure.latent_channels
        self.vae.quant_conv.weight.data[channels:].zero_()
        self.vae.quant_conv.bias.data[channels:].fill_(FIRST_LOG_VARIANCE)

    def moments(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance [B, C, h, w] of pictures [B, 3, H, W] in -1..1."""
        mean, log_variance = self.vae.quant_conv(self.vae.encoder(pictures[:, :, None]))[:, :, 0].chunk(2, dim=1)
        return mean, log_variance

    def decoded(self, latents: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] of latents [B, C, h, w], not cut to -1..1."""
        pictures: Tensor = self.vae.decoder(self.vae.post_quant_conv(latents[:, :, None]))[:, :, 0]
        return pictures


def _keeps_width(block: nn.Module) -> bool:
    return isinstance(block, QwenImageResidualBlock) and isinstance(block.conv_shortcut, nn.Identity)


def _idle(blocks: Iterable[Any]) -> None:
    """Take these residual blocks out of work: one a level draws the demo's flat pictures."""
    for block in blocks:
        nn.init.zeros_(block.conv2.weight)
        block.__class__ = IdleBlock


def _initialise(weight: Tensor, bias: Tensor | None, *, halved: bool = False) -> None:
    with torch.no_grad():
        nn.init.kaiming_normal_(weight, nonlinearity="linear")
        weight.mul_(0.3 if halved else 1.0)
        if bias is not None:
            bias.zero_()


def train_vae(pictures: Pictures, folder: Path, budget: Budget, seed: int) -> Codec:
    """Encoder and decoder, first on crops; the rate falls as a cosine over the second half."""
    torch.manual_seed(seed)
    codec = Codec()
    pair = optimizers(codec, MUON_RATE, ADAM_RATE, ENDS)
    stage = Stage("vae", folder, budget, {"codec": codec, **{f"optimizer{i}": one for i, one in enumerate(pair)}})
    for step in stage.steps():
        done = stage.progress
        warm = min(1.0, (step + 1) / WARMUP_STEPS)
        stage.set_rates(warm * (1.0 if done < 0.5 else 0.5 + 0.5 * math.cos(math.pi * (2 * done - 1))))
        torch.manual_seed(seed * 1_000_003 + step)
        real = batch_of_both(pictures, np.random.default_rng([seed, step]), whole=done > CROP_SHARE)
        _learn(codec, pair, real, stage)
    return codec


def refine_vae(codec: Codec, pictures: Pictures, folder: Path, budget: Budget, seed: int) -> Codec:
    """Encoder and decoder once more, on whole pictures, most of which have colours that nobody in the world has."""
    pair = optimizers(codec, MUON_RATE * REFINE_SHARE, ADAM_RATE * REFINE_SHARE, ENDS)
    stage = Stage("refine", folder, budget, {"codec": codec, **{f"optimizer{i}": one for i, one in enumerate(pair)}})
    for step in stage.steps():
        stage.set_rates(min(1.0, (step + 1) / WARMUP_STEPS) * (0.5 + 0.5 * math.cos(math.pi * stage.progress)))
        torch.manual_seed(seed * 1_000_003 + 500_000 + step)
        _learn(codec, pair, _people_and_helpers(pictures, np.random.default_rng([seed, 3, step])), stage)
    return codec


def train_decoder(codec: Codec, pictures: Pictures, folder: Path, budget: Budget, seed: int) -> Codec:
    """The decoder alone, on the latents of whole pictures: those that the denoiser learns stay what they are."""
    codec.requires_grad_(False)
    codec.vae.decoder.requires_grad_(True)
    codec.vae.post_quant_conv.requires_grad_(True)
    pair = optimizers(codec, MUON_RATE * DECODER_SHARE, ADAM_RATE * DECODER_SHARE, ENDS)
    stage = Stage("decoder", folder, budget, {"codec": codec, **{f"optimizer{i}": one for i, one in enumerate(pair)}})
    for step in stage.steps():
        stage.set_rates(min(1.0, (step + 1) / WARMUP_STEPS, 2 * (1 - stage.progress)))
        real = _people_and_helpers(pictures, np.random.default_rng([seed, 7, step]))
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                latents = codec.moments(real)[0]
            made = codec.decoded(latents).float()
        update(codec, pair, picture_loss(made, real))
        if step % 25 == 0:
            stage.log(psnr=psnr(made.detach(), real))
    return codec


def _people_and_helpers(pictures: Pictures, numbers: np.random.Generator) -> Tensor:
    """Whole pictures [8, 3, H, W], more helpers than people."""
    pools = (pictures.base, REFINE_PEOPLE), (pictures.helpers, REFINE_HELPERS)
    return to_tensor(
        np.stack([pool[index] for pool, count in pools for index in numbers.integers(0, len(pool), count)])
    )


def _learn(codec: Codec, pair: list[torch.optim.Optimizer], real: Tensor, stage: Stage) -> None:
    """One update, with a line in the log now and then."""
    with torch.autocast("cpu", torch.bfloat16):
        mean, log_variance = (one.float() for one in codec.moments(real))
        latents = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        made = codec.decoded(latents).float()
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
    update(codec, pair, picture_loss(made, real) + KL_WEIGHT * divergence)
    if stage.step % 25 == 0:
        stage.log(kl=divergence.item(), psnr=psnr(made.detach(), real))


@torch.no_grad()
def encode_all(codec: Codec, pixels: Pixels) -> Tensor:
    """The means [N, C, h, w] of pictures [N, H, W, 3], in float32."""
    starts = range(0, len(pixels), ENCODED_AT_ONCE)
    return torch.cat([codec.moments(to_tensor(pixels[start : start + ENCODED_AT_ONCE]))[0] for start in starts])


@dataclass(frozen=True)
class LatentScale:
    """The mean and the standard deviation [C] of each channel of the VAE's latents over the world's pictures."""

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, latents: Tensor) -> LatentScale:
        """That of latents [N, C, h, w]."""
        return cls(latents.mean((0, 2, 3)), latents.std((0, 2, 3)))

    def normalised(self, latents: Tensor) -> Tensor:
        """Latents [N, C, h, w] of mean 0 and deviation 1 in each channel, which is what denoisers have."""
        return (latents - self.mean.view(-1, 1, 1)) / self.deviation.view(-1, 1, 1)


@torch.no_grad()
def take_published_scale(codec: Codec, scale: LatentScale) -> None:
    """Give each latent channel the mean and deviation that Qwen-Image's VAE has, by which programs normalise latents.

    The last layer of the encoder and the first of the decoder take it in; pictures decode as before.

    Args:
        codec: Is changed.
        scale: What its latents have now.
    """
    vae, channels = codec.vae, len(scale.mean)
    wanted_mean, wanted = torch.tensor(vae.config.latents_mean), torch.tensor(vae.config.latents_std)
    factor = wanted / scale.deviation
    into, out = vae.quant_conv, vae.post_quant_conv
    into.weight[:channels] *= factor.view(-1, 1, 1, 1, 1)
    into.bias[:channels] = (into.bias[:channels] - scale.mean) * factor + wanted_mean
    into.bias[channels:] += 2 * factor.log()
    out.bias += out.weight[:, :, -1, 0, 0] @ (scale.mean - wanted_mean / factor)
    out.weight /= factor.view(1, -1, 1, 1, 1)
