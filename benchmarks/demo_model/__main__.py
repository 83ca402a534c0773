"""Runs the stages of making the base model, one or all: `python -m benchmarks.demo_model all --work FOLDER`.

Each stage leaves its result in the work folder; a stage cut short goes on from its checkpoint when run again.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from transformers import CLIPTokenizer

from benchmarks.demo_model import data, denoiser, evaluate, folder, score_data, vae
from benchmarks.demo_model.tokenizer import write_tokenizer
from benchmarks.demo_model.training import Budget

ASSETS = Path("trainer/assets/demo")
SEED = 1
OTHERS, OTHERS_SEED = 72, 777
"""As many as the character's pictures are shown in an epoch, so that each of them is shown once."""


@dataclass(frozen=True)
class Making:
    """Where the stages work, and how much they do."""

    work: Path
    out: Path
    seed: int
    base_pictures: int
    helper_pictures: int
    vae_steps: int
    refine_steps: int
    denoiser_steps: int
    decoder_steps: int
    results: Path


def _codec(making: Making, name: str) -> AutoencoderKL:
    """The codec that an earlier stage left in the work folder."""
    codec = vae.new_vae()
    codec.load_state_dict(torch.load(making.work / f"{name}.pt", weights_only=True))
    return codec.eval()


def _tokenizer(making: Making) -> CLIPTokenizer:
    write_tokenizer(making.work / "tokenizer")
    tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(making.work / "tokenizer", local_files_only=True)
    return tokenizer


def character(making: Making) -> None:
    """The character's pictures and those of other people, with captions, and what the scores compare with."""
    training, held_out = data.character_sets(making.seed)
    data.write_character(making.out / "character", training)
    data.write_character(making.out / "held_out", held_out)
    data.write_character(making.out / "class", data.others(OTHERS, OTHERS_SEED, brief_every=3))
    score_data.write_score_data(making.out / "score.json", score_data.score_data(training))


def draw(making: Making) -> None:
    """The pictures to train on."""
    data.draw_all(making.work, base=making.base_pictures, helpers=making.helper_pictures, seed=making.seed)


def train_vae(making: Making) -> None:
    """The picture codec."""
    codec = vae.train_vae(data.load(making.work), making.work, Budget(making.vae_steps), making.seed)
    torch.save(codec.state_dict(), making.work / "vae.pt")


def refine_vae(making: Making) -> None:
    """The codec's second round; the encoder is final after it."""
    budget = Budget(making.refine_steps)
    codec = vae.refine_vae(_codec(making, "vae"), data.load(making.work), making.work, budget, making.seed)
    torch.save(codec.state_dict(), making.work / "refined.pt")


def encode(making: Making) -> None:
    """The base pictures as latents; `scale` brings them to unit variance."""
    means, deviations = vae.encode_all(_codec(making, "refined"), data.load(making.work).base)
    variance = means.float().var() + deviations.float().square().mean()
    encoded = {"means": means, "deviations": deviations, "scale": round(float(variance.rsqrt()), 5)}
    torch.save(encoded, making.work / "latents.pt")


def train_denoiser(making: Making) -> None:
    """U-Net and text encoder."""
    saved = torch.load(making.work / "latents.pt", weights_only=True)
    encoded = denoiser.Encoded(saved["means"], saved["deviations"], saved["scale"], data.load(making.work).tags)
    base = denoiser.train(encoded, _tokenizer(making), making.work, Budget(making.denoiser_steps), making.seed)
    torch.save(base.state_dict(), making.work / "base.pt")


def train_decoder(making: Making) -> None:
    """The codec's decoder alone."""
    budget = Budget(making.decoder_steps)
    codec = vae.train_decoder(_codec(making, "refined"), data.load(making.work), making.work, budget, making.seed)
    torch.save(codec.state_dict(), making.work / "codec.pt")


def write(making: Making) -> None:
    """The diffusers folder."""
    base = denoiser.Base(_tokenizer(making))
    base.load_state_dict(torch.load(making.work / "base.pt", weights_only=True))
    scale = torch.load(making.work / "latents.pt", weights_only=True)["scale"]
    folder.write_folder(making.out / "model", _codec(making, "codec"), base, scale)


def judge(making: Making) -> None:
    """What the written model can do, as JSON and as a sheet of samples."""
    evaluate.evaluate(making.out, making.work, making.results, making.seed)


STAGES: dict[str, Callable[[Making], None]] = {
    "character": character,
    "draw": draw,
    "vae": train_vae,
    "refine": refine_vae,
    "encode": encode,
    "denoiser": train_denoiser,
    "decoder": train_decoder,
    "write": write,
    "evaluate": judge,
}
"""In the order in which they build on each other; the first needs nothing but the drawing code."""


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.demo_model", description=__doc__)
    parser.add_argument("stages", nargs="+", choices=[*STAGES, "all"], help="what to do; all: each in turn")
    parser.add_argument("--work", type=Path, required=True, help="folder for pictures, latents, checkpoints (1.5 GB)")
    parser.add_argument("--out", type=Path, default=ASSETS, help="where the model and the character go")
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results"), help="where the figures go")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--base-pictures", type=int, default=14_000)
    parser.add_argument("--helper-pictures", type=int, default=5_000)
    parser.add_argument("--vae-steps", type=int, default=2_500)
    parser.add_argument("--refine-steps", type=int, default=1_400)
    parser.add_argument("--denoiser-steps", type=int, default=3_000)
    parser.add_argument("--decoder-steps", type=int, default=300)
    return parser


def main() -> None:
    """Runs the stages asked for, with a line about each."""
    settings = vars(_arguments().parse_args())
    chosen, threads = settings.pop("stages"), settings.pop("threads")
    torch.set_num_threads(threads)
    making = Making(**settings)
    for name in STAGES if "all" in chosen else chosen:
        start = time.monotonic()
        STAGES[name](making)
        print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
