"""Makes the small flow model and teaches it the demo's character: `python -m benchmarks.demo_flow all --work FOLDER`.

Each stage leaves its result in the work folder; `vae` and `denoiser` go on from their checkpoint when run again.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from advisor.settings.config import LossConfig
from benchmarks.demo_flow import denoiser, figures, files, vae
from benchmarks.demo_flow.teach import teach
from benchmarks.demo_model import data
from benchmarks.demo_model.training import Budget
from trainer.diffusion.flow import Flow

SEED = 1
TOOK = "took.json"


@dataclass(frozen=True)
class Making:
    """Where the stages work, and how much they do."""

    work: Path
    results: Path
    seed: int
    base_pictures: int
    helper_pictures: int
    vae_steps: int
    refine_steps: int
    denoiser_steps: int
    decoder_steps: int

    @property
    def model(self) -> Path:
        """The folder of the finished model's files."""
        return self.work / "model"

    @property
    def run(self) -> Path:
        """The LoRA's run."""
        return self.work / "run"


def draw(making: Making) -> None:
    """The pictures to train on."""
    data.draw_all(making.work, base=making.base_pictures, helpers=making.helper_pictures, seed=making.seed)


def train_vae(making: Making) -> None:
    """The VAE's first round."""
    codec = vae.train_vae(data.load(making.work), making.work, Budget(making.vae_steps), making.seed)
    torch.save(codec.state_dict(), making.work / "vae.pt")


def refine_vae(making: Making) -> None:
    """Its second; the encoder is final after it."""
    budget = Budget(making.refine_steps)
    codec = vae.refine_vae(_codec(making, "vae"), data.load(making.work), making.work, budget, making.seed)
    torch.save(codec.state_dict(), making.work / "refined.pt")


def encode(making: Making) -> None:
    """All people as latents, with their scale."""
    latents = vae.encode_all(_codec(making, "refined"), data.load(making.work).base)
    scale = vae.LatentScale.of(latents)
    kept = {"latents": scale.normalised(latents).half(), "mean": scale.mean, "deviation": scale.deviation}
    torch.save(kept, making.work / "latents.pt")


def train_denoiser(making: Making) -> None:
    """Transformer and text adapter."""
    encoded = denoiser.Encoded(_encoded(making)["latents"].float(), data.load(making.work).tags)
    base = denoiser.train(encoded, Flow(LossConfig()), making.work, Budget(making.denoiser_steps), making.seed)
    torch.save(base.denoiser.state_dict(), making.work / "denoiser.pt")


def train_decoder(making: Making) -> None:
    """The VAE's decoder alone."""
    budget = Budget(making.decoder_steps)
    codec = vae.train_decoder(_codec(making, "refined"), data.load(making.work), making.work, budget, making.seed)
    torch.save(codec.state_dict(), making.work / "codec.pt")


def write(making: Making) -> None:
    """The three files."""
    base = denoiser.new_base(making.seed)
    base.denoiser.load_state_dict(torch.load(making.work / "denoiser.pt", weights_only=True))
    codec, encoded = _codec(making, "codec"), _encoded(making)
    vae.take_published_scale(codec, vae.LatentScale(encoded["mean"], encoded["deviation"]))
    files.write_files(making.model, base, codec)


def learn(making: Making) -> None:
    """The LoRA, by the product's own commands, and pictures of before and after."""
    shutil.rmtree(making.run, ignore_errors=True)
    print(teach(making.model / files.DENOISER, making.run), flush=True)


def report(making: Making) -> None:
    """The figures and the pictures that are kept in the repository."""
    settings = {name: value for name, value in asdict(making).items() if name not in ("work", "results")}
    took = json.loads((making.work / TOOK).read_text())
    figures.write_figures(making.results, settings, took, codec=_codec(making, "codec"), run=making.run)


STAGES: dict[str, Callable[[Making], None]] = {
    "draw": draw, "vae": train_vae, "refine": refine_vae, "encode": encode, "denoiser": train_denoiser,
    "decoder": train_decoder, "write": write, "teach": learn, "report": report,
}  # fmt: skip
"""In the order in which they build on each other."""


def _codec(making: Making, name: str) -> vae.Codec:
    """The VAE that an earlier stage left."""
    codec = vae.Codec()
    codec.load_state_dict(torch.load(making.work / f"{name}.pt", weights_only=True))
    return codec.eval()


def _encoded(making: Making) -> dict[str, torch.Tensor]:
    """What `encode` left."""
    saved: dict[str, torch.Tensor] = torch.load(making.work / "latents.pt", weights_only=True)
    return saved


def processor_seconds() -> float:
    """What this process and those that it started have used so far."""
    uses = (resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


def make(making: Making, stages: Sequence[str]) -> None:
    """Run these stages, and keep what each took, in seconds and in seconds of a processor."""
    kept = making.work / TOOK
    for name in stages:
        began, used = time.monotonic(), processor_seconds()
        STAGES[name](making)
        took = {
            "seconds": round(time.monotonic() - began, 1),
            "processor_seconds": round(processor_seconds() - used, 1),
        }
        known = json.loads(kept.read_text()) if kept.exists() else {}
        kept.write_text(json.dumps({**known, name: took}))
        print(name, took, flush=True)


def main() -> None:
    """Runs the stages asked for, with a line about each; figures are written where all were."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.demo_flow", description=__doc__)
    parser.add_argument("stages", nargs="+", choices=[*STAGES, "all"], help="what to do; all: each in turn")
    parser.add_argument("--work", type=Path, required=True, help="folder for pictures, weights, the run (1 GB)")
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results"), help="where the figures go")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--base-pictures", type=int, default=8_000)
    parser.add_argument("--helper-pictures", type=int, default=2_500)
    parser.add_argument("--vae-steps", type=int, default=800)
    parser.add_argument("--refine-steps", type=int, default=400)
    parser.add_argument("--denoiser-steps", type=int, default=580)
    parser.add_argument("--decoder-steps", type=int, default=500)
    given = vars(parser.parse_args())
    chosen = given.pop("stages")
    torch.set_num_threads(given.pop("threads"))
    making = Making(**given)
    make(making, list(STAGES) if "all" in chosen else chosen)


if __name__ == "__main__":
    main()
