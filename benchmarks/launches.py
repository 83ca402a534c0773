"""Operations that start work on a card in one forward and backward pass: ours beside peft's, on fake tensors.

    python -P -m benchmarks.launches [--family sd1]     writes benchmarks/results/launches.json and docs/launches.md

A card of today works off the small operations of one picture sooner than the processor can start them: their number is
what such a step takes. Views and bare allocations are left out; an operation on many tensors counts once. Both in
bfloat16, a LoRA of rank 16 on the same layers of the denoiser, batch 1, without checkpointing, the text cached. peft is
run as diffusers' example script runs it: adapters in float32 under autocast.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from advisor.families import family as family_facts
from advisor.families.stable_diffusion import StableDiffusionStructure
from advisor.files import write_atomically

if TYPE_CHECKING:
    from trainer.simulate.step import Simulation

RESULTS = Path(__file__).parent / "results" / "launches.json"
PAGE = Path(__file__).parents[1] / "docs" / "launches.md"
SIDES_PX = {"sd1": 512, "sdxl": 1024}
RANK = 16
MOST = {"sd1": 4000, "sdxl": 9000}
"""What ours is held to, with the text encoder trained or not for SD1.5."""
PEFT_TARGETS = ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out")
WHAT = {"loracle": "Loracle", "loracle_text": "Loracle, text encoder trained", "peft": "diffusers with peft"}


@dataclass(frozen=True)
class Counted:
    """Of one way to train a family."""

    operations: int
    casts: int
    """Those of them that change a tensor's dtype."""


def simulation(family: str, *, text: str = "cached") -> Simulation:
    """Our training on fake tensors."""
    from trainer.simulate.step import Simulation, measured_config

    structure = family_facts(family).standard
    assert structure is not None
    return Simulation(measured_config(family, rank=RANK, text=text), structure, (SIDES_PX[family],) * 2)


def ours(family: str, *, text: str = "cached") -> Counted:
    """Loracle's."""
    found = simulation(family, text=text).launches()
    return Counted(found.total, found.casts)


def peft(family: str) -> Counted:
    """That of diffusers' example script: the plain mean square error, adapters by peft."""
    import torch
    from diffusers.models.attention_processor import AttnProcessor2_0
    from peft import LoraConfig, inject_adapter_in_model
    from torch._subclasses.fake_tensor import FakeTensorMode

    from trainer.models.families import TRAINER_FAMILIES
    from trainer.simulate.live_bytes import Launches

    structure, known = family_facts(family).standard, TRAINER_FAMILIES[family]
    assert isinstance(structure, StableDiffusionStructure)
    with FakeTensorMode():
        base = known.build(structure, dtype=torch.bfloat16, vae_dtype=torch.float32, device=torch.device("cpu"))
        chunks = tuple(torch.zeros(1, 1, text.max_positions, dtype=torch.int64) for text in structure.text)
        with torch.no_grad():
            states = known.encode_text(base, chunks)
        base.denoiser.set_attn_processor(AttnProcessor2_0())
        settings = LoraConfig(r=RANK, lora_alpha=RANK // 2, target_modules=list(PEFT_TARGETS))
        # Fake tensors cannot be moved as peft moves its own, which are made where they belong and in float32.
        with patch.object(torch.nn.Module, "to", lambda module, *_, **__: module):
            inject_adapter_in_model(settings, base.denoiser)
        shape = 1, *known.latent_shape(structure, SIDES_PX[family], SIDES_PX[family])
        latents, noise = torch.empty(shape), torch.empty(shape)
        with Launches() as counted:
            with torch.autocast("cpu", torch.bfloat16):
                noisy = (latents + noise).bfloat16()
                predicted = known.predict(base, noisy, base.middle_time, states, torch.empty(1, 6))
            torch.nn.functional.mse_loss(predicted.float(), noise).backward()
        return Counted(counted.total, counted.casts)


def counted(family: str) -> dict[str, dict[str, int]]:
    """Every way, by its name."""
    ways = {"loracle": ours(family), "loracle_text": ours(family, text="trained"), "peft": peft(family)}
    return {name: {"operations": one.operations, "casts": one.casts} for name, one in ways.items()}


def title(family: str) -> str:
    """A model's name and the side of its pictures."""
    return f"{family_facts(family).title} {SIDES_PX[family]} px"


def page(document: dict[str, Any]) -> str:
    """docs/launches.md."""
    rows = [
        f"| {title(family)} | {WHAT[way]} | {found['operations']:,} | {found['casts']:,} |"
        for family, ways in document["results"].items()
        for way, found in ways.items()
    ]
    return HEAD + "\n".join(rows) + "\n" + TAIL


HEAD = """# Operations of a step

Made by `python -P -m benchmarks.launches` on tensors without data. How many operations the processor starts on a card
in one forward and backward pass: views and bare allocations left out, an operation on many tensors counted once. A LoRA
of rank 16 on the denoiser's attention, batch 1, bfloat16, no checkpointing, the text cached unless said otherwise. Why
they count: decisions/0003-time.md; how they became fewer: decisions/0004-the-training-step.md.

| model | trained by | operations | of them casts |
|---|---|---|---|
"""
TAIL = """
A test counts ours anew and holds them to 4,000 for SD1.5 and 9,000 for SDXL (`tests/benchmarks/test_launches.py`).
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Count and write."""
    parser = argparse.ArgumentParser(
        prog="python -P -m benchmarks.launches", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--family", choices=sorted(SIDES_PX), action="append", help="only this one; the other stays")
    given = parser.parse_args(arguments)
    import torch

    document = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"results": {}}
    document |= {"command": "python -P -m benchmarks.launches", "torch": torch.__version__}
    for family in given.family or SIDES_PX:
        document["results"][family] = counted(family)
        print(family, document["results"][family], flush=True)
    write_atomically(RESULTS, json.dumps(document, indent=1) + "\n")
    write_atomically(PAGE, page(document))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
