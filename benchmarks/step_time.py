"""Seconds a step and peak memory of our training step beside the diffusers recipe (peft adapters), in turns, each in
float32 and in bfloat16.

    python -m benchmarks.step_time CHECKPOINT [--side-px 256] [--rank 16] [--steps 3] [--rounds 2] [--checkpointing]

Full-size SD1.5 on the processor, batch 1, U-Net and text encoder trained on the same 264 layers, AdamW. Each turn is a
process of its own, so that peaks are its own; of a noisy machine's figures the ratio of the fastest counts. Ours has
the environment that Loracle gives its trainer, theirs the one that is there.
`python -m benchmarks.make_checkpoint` makes a checkpoint of random weights.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wizard.processes.child import child_environment

PEER = "diffusers_float32"
"""What all are compared with: what runs by default there."""
RESULTS = Path(__file__).parent / "results" / "step_time.json"
WAYS = ("loracle_bfloat16", "loracle_float32", "diffusers_float32", "diffusers_bfloat16")


def main() -> None:
    """Run the turns and write the result; `--way` is what a turn is started with."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.step_time", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--side-px", type=int, default=256)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--checkpointing", action="store_true")
    parser.add_argument("--way", choices=WAYS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(measured(options)))
        return
    turns: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(options.rounds):
        for way in WAYS:
            command = [sys.executable, "-m", "benchmarks.step_time", *sys.argv[1:], "--way", way]
            environment = child_environment(os.environ, on_processor=True) if way.startswith("loracle") else None
            output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
            turn = json.loads(output.splitlines()[-1])
            if environment is not None:  # a machine with other work is another measurement
                turn["threads_spin"] = environment.get("OMP_WAIT_POLICY") != "PASSIVE"
            turns[way].append(turn)
            print(way, turns[way][-1], flush=True)
    _write(turns, options)


def measured(options: argparse.Namespace) -> dict[str, float]:
    """One turn: seconds of the fastest step after the first, of the first, and peak memory of the process."""
    import torch

    from trainer.device.choose import peak_process_bytes

    torch.manual_seed(0)
    step = (ours if options.way.startswith("loracle") else recipe)(options)
    seconds = []
    for _ in range(options.steps + 1):
        began = time.perf_counter()
        loss = step()
        seconds.append(time.perf_counter() - began)
    return {
        "seconds": min(seconds[1:]),
        "first": seconds[0],
        "peak_bytes": peak_process_bytes(),
        "loss": loss,
    }


def _base(options: argparse.Namespace) -> Any:
    import torch

    from advisor.settings.config import ModelConfig
    from trainer.models.load import load_base_model

    model = ModelConfig(path=str(options.checkpoint), family="sd1")
    device = torch.device("cpu")
    dtype = getattr(torch, options.way.partition("_")[2])
    base = load_base_model(model, dtype=dtype, vae_dtype=torch.float32, device=device)
    if options.checkpointing:
        base.family.enable_gradient_checkpointing(base, text_encoder=True)
        base.denoiser.train()
        for encoder in base.text_encoders:
            encoder.train()
    return base


def _inputs(base: Any, side_px: int) -> tuple[Any, Any, Any, Any]:
    import torch

    rng = torch.Generator().manual_seed(1)
    side = side_px // 8
    latents = torch.randn(1, 4, side, side, generator=rng)
    noise = torch.randn(1, 4, side, side, generator=rng)
    ids = base.family.tokenize(base, ["mia, 1girl, blue hair, smile"])
    return latents, noise, torch.tensor([400]), ids


def ours(options: argparse.Namespace) -> Callable[[], float]:
    """Our step, as the trainer runs it."""
    import torch

    from advisor.settings.config import DatasetConfig, ModelConfig, NetworkConfig, SavingConfig, TrainingConfig
    from trainer.adapters.network import Network
    from trainer.diffusion.noise import noise_schedule
    from trainer.training.step import Batch, training_loss

    base = _base(options)
    config = TrainingConfig(
        model=ModelConfig(path=str(options.checkpoint), family="sd1"),
        dataset=DatasetConfig(images="-"),
        network=NetworkConfig(rank=options.rank, alpha=options.rank / 2),
        saving=SavingConfig(name="timing"),
    )
    network = Network.attach(base, config.network, text_encoder=True)
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, fused=True)
    latents, noise, times, ids = _inputs(base, options.side_px)
    abar = noise_schedule(zero_terminal_snr=False).alphas_cumprod[times]
    batch = Batch(latents, noise, times, abar, torch.ones(1), token_ids=ids)

    def step() -> float:
        loss = training_loss(base, network, batch, config)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    return step


def recipe(options: argparse.Namespace) -> Callable[[], float]:
    """The same step as diffusers' example script has it: peft adapters in float32, the plain mean square error."""
    import torch
    from diffusers import DDPMScheduler
    from peft import LoraConfig, inject_adapter_in_model

    base = _base(options)
    unet, text = base.denoiser, base.text_encoders[0]
    in_unet = ["to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"]
    in_text = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]
    for module, targets in ((unet, in_unet), (text, in_text)):
        settings = LoraConfig(r=options.rank, lora_alpha=options.rank // 2, target_modules=targets)
        inject_adapter_in_model(settings, module)
    parameters = [parameter for module in (unet, text) for parameter in module.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4)
    scheduler = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    latents, noise, times, (ids,) = _inputs(base, options.side_px)

    def step() -> float:
        states = text(ids[:, 0]).last_hidden_state
        noisy = scheduler.add_noise(latents, noise, times).to(unet.dtype)
        predicted = unet(noisy, times, states, return_dict=False)[0]
        loss = torch.nn.functional.mse_loss(predicted.float(), noise)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    return step


def _write(turns: dict[str, list[dict[str, float]]], options: argparse.Namespace) -> None:
    import psutil
    import torch

    best = {way: min(turn["seconds"] for turn in found) for way, found in turns.items()}
    peak = {way: max(turn["peak_bytes"] for turn in found) for way, found in turns.items()}
    document = {
        "command": "python -m benchmarks.step_time " + " ".join(["CHECKPOINT", *sys.argv[2:]]),
        "machine": f"{platform.machine()}, {psutil.cpu_count(logical=False)} cores, torch {torch.__version__}",
        "threads": torch.get_num_threads(),
        "side_px": options.side_px,
        "rank": options.rank,
        "checkpointing": options.checkpointing,
        "turns": turns,
        "seconds": best,
        "peak_gib": {way: round(size / 2**30, 2) for way, size in peak.items()},
        "ratio_of_seconds": {way: round(found / best[PEER], 3) for way, found in best.items()},
        "ratio_of_peaks": {way: round(found / peak[PEER], 3) for way, found in peak.items()},
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"seconds {best}, ratio {document['ratio_of_seconds']}")
    print(f"peak GiB {document['peak_gib']}, ratio {document['ratio_of_peaks']}")


if __name__ == "__main__":
    main()
