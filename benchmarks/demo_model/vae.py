"""The picture codec: an AutoencoderKL trained on the drawings, then its decoder alone.

Letters: B pictures, H x W pixels.
"""

import math
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.demo_model.data import Pictures, Pixels
from benchmarks.demo_model.training import Budget, Stage, optimizers, update

MUON_RATE, ADAM_RATE = 0.014, 2e-3
KL_WEIGHT = 5e-4
CROP_SHARE = 2 / 3
"""Until this share of the training 64 px crops, then whole pictures."""
REFINE_SHARE = 0.6
"""The second round begins with this share of the first one's rates."""
FIRST_LOG_VARIANCE = -5.0
ENDS = ("conv_in", "conv_out", "quant_conv")


def new_vae() -> AutoencoderKL:
    """An untrained codec 128 px -> 16 x 16 x 8, initialised so that depth neither swells nor starves signals."""
    blocks = 4
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        block_out_channels=(16, 32, 64, 64),
        layers_per_block=1,
        latent_channels=8,
        norm_num_groups=4,
        sample_size=128,
        mid_block_add_attention=False,
    )
    for name, module in vae.named_modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
            if name.endswith("conv2"):
                module.weight.data.mul_(0.3)
    channels = vae.config.latent_channels
    vae.quant_conv.weight.data[channels:].zero_()
    vae.quant_conv.bias.data[channels:].fill_(FIRST_LOG_VARIANCE)
    return vae


def to_tensor(pixels: Pixels) -> Tensor:
    """Pixels [B, H, W, 3] of 0..255 as floats [B, 3, H, W] of -1..1."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_pixels(pictures: Tensor) -> Pixels:
    """Floats [B, 3, H, W] of -1..1 as pixels [B, H, W, 3] of 0..255."""
    scaled = ((pictures.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).numpy()


def batch_of_both(pictures: Pictures, numbers: np.random.Generator, *, whole: bool) -> Tensor:
    """Half base, half helpers: 16 crops of 64 px, or 8 whole pictures."""
    half = 4 if whole else 8
    chosen = [
        pool[index] for pool in (pictures.base, pictures.helpers) for index in numbers.integers(0, len(pool), half)
    ]
    if not whole:
        corners = numbers.integers(0, 65, (len(chosen), 2))
        chosen = [picture[y : y + 64, x : x + 64] for picture, (y, x) in zip(chosen, corners, strict=True)]
    return to_tensor(np.stack(chosen))


def picture_loss(made: Tensor, real: Tensor) -> Tensor:
    """L1 + half the L1 of the gradients, which keeps edges sharp, + the mean square."""
    error = made - real
    edges = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    return error.abs().mean() + 0.5 * edges + error.square().mean()


def train_vae(pictures: Pictures, folder: Path, budget: Budget, seed: int) -> AutoencoderKL:
    """The whole codec, first on crops; the rate falls as a cosine over the second half."""
    torch.manual_seed(seed)
    vae = new_vae()
    pair = optimizers(vae, MUON_RATE, ADAM_RATE, ENDS)
    stage = Stage("vae", folder, budget, {"vae": vae, **{f"optimizer{i}": part for i, part in enumerate(pair)}})
    for step in stage.steps():
        done = stage.progress
        warm = min(1.0, (step + 1) / 50)
        stage.set_rates(warm * (1.0 if done < 0.5 else 0.5 + 0.5 * math.cos(math.pi * (2 * done - 1))))
        torch.manual_seed(seed * 1_000_003 + step)
        _codec_step(
            vae, pair, batch_of_both(pictures, np.random.default_rng([seed, step]), whole=done > CROP_SHARE), stage
        )
    return vae


def refine_vae(vae: AutoencoderKL, pictures: Pictures, folder: Path, budget: Budget, seed: int) -> AutoencoderKL:
    """The whole codec once more, on whole pictures: small marks on cheeks come out only now."""
    pair = optimizers(vae, MUON_RATE * REFINE_SHARE, ADAM_RATE * REFINE_SHARE, ENDS)
    stage = Stage("refine", folder, budget, {"vae": vae, **{f"optimizer{i}": part for i, part in enumerate(pair)}})
    for step in stage.steps():
        warm = min(1.0, (step + 1) / 50)
        stage.set_rates(warm * (0.5 + 0.5 * math.cos(math.pi * stage.progress)))
        torch.manual_seed(seed * 1_000_003 + 500_000 + step)
        _codec_step(vae, pair, batch_of_both(pictures, np.random.default_rng([seed, 3, step]), whole=True), stage)
    return vae


def _codec_step(vae: AutoencoderKL, pair: list[torch.optim.Optimizer], real: Tensor, stage: Stage) -> None:
    """One update of encoder and decoder, with a line in the log now and then."""
    with torch.autocast("cpu", torch.bfloat16):
        moments = vae.encode(real).latent_dist
        made = vae.decode(moments.sample()).sample
    mean, log_variance = moments.mean.float(), moments.logvar.float()
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
    loss = picture_loss(made.float(), real) + KL_WEIGHT * divergence
    update(vae, pair, loss)
    if stage.step % 25 == 0:
        stage.log(loss=loss.item(), kl=divergence.item(), psnr=psnr(made.detach().float(), real))


def train_decoder(vae: AutoencoderKL, pictures: Pictures, folder: Path, budget: Budget, seed: int) -> AutoencoderKL:
    """The decoder alone, on whole pictures with the mean latents."""
    vae.requires_grad_(False)
    vae.decoder.requires_grad_(True)
    pair = optimizers(vae, MUON_RATE * 0.3, ADAM_RATE * 0.3, ENDS)
    stage = Stage("decoder", folder, budget, {"vae": vae, **{f"optimizer{i}": part for i, part in enumerate(pair)}})
    for step in stage.steps():
        stage.set_rates(1 - stage.progress)
        real = batch_of_both(pictures, np.random.default_rng([seed, 7, step]), whole=True)
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                latents = vae.encode(real).latent_dist.mean
            made = vae.decode(latents).sample
        loss = picture_loss(made.float(), real)
        update(vae, pair, loss)
        if step % 25 == 0:
            stage.log(loss=loss.item(), psnr=psnr(made.detach().float(), real))
    return vae


def psnr(made: Tensor, real: Tensor) -> float:
    """Peak signal to noise in dB, of pictures in -1..1."""
    return -10 * math.log10(max(1e-9, functional.mse_loss(made, real).item() / 4))


@torch.no_grad()
def reconstruction_psnr(vae: AutoencoderKL, pixels: Pixels) -> float:
    """The mean PSNR in dB of pictures that went through the codec."""
    values = []
    for picture in pixels:
        real = to_tensor(picture[None])
        values.append(psnr(vae.decode(vae.encode(real).latent_dist.mean).sample.clamp(-1, 1), real))
    return sum(values) / len(values)


@torch.no_grad()
def encode_all(vae: AutoencoderKL, pixels: Pixels, batch: int = 32) -> tuple[Tensor, Tensor]:
    """Means and standard deviations [N, 8, 16, 16] of all pictures' latents, unscaled, in half precision."""
    means, deviations = [], []
    for start in range(0, len(pixels), batch):
        with torch.autocast("cpu", torch.bfloat16):
            moments = vae.encode(to_tensor(pixels[start : start + batch])).latent_dist
        means.append(moments.mean.half())
        deviations.append(moments.std.half())
    return torch.cat(means), torch.cat(deviations)
