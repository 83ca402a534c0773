"""Memory and time of LoRA training as others published them: settings, source and figure of each row.

What a source leaves open is the same in all of its rows: rank 32, trained text encoders and AdamW in 8 bits for
kohya's trainer, cached text for the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from advisor.families import family as family_facts
from advisor.families.structure import Structure
from advisor.settings.config import TrainingConfig, parse_config

Kind = Literal["alike", "keeps_more", "bound"]
"""Of a figure of memory: a trainer that keeps what ours keeps; one that keeps more (adapters and their copies in
float32, no fused layers), whose figures must lie above; the size of a card that just suffices."""

SOURCES = {
    "SimpleTuner": "https://github.com/bghira/SimpleTuner/blob/main/documentation/experimental/SEGMENTED_CHECKPOINTING.md",
    "LyCORIS, Guidelines": "https://github.com/KohakuBlueleaf/LyCORIS/blob/main/docs/Guidelines.md",
    "arca.live, post 77209577": "https://arca.live/",
    "OneTrainer 776": "https://github.com/Nerogar/OneTrainer/issues/776",
    "sd-scripts 1057": "https://github.com/kohya-ss/sd-scripts/pull/1057",
    "sd-scripts 661": "https://github.com/kohya-ss/sd-scripts/issues/661",
    "sd-scripts 827": "https://github.com/kohya-ss/sd-scripts/issues/827",
    "sd-scripts, train_SDXL-en": "https://github.com/kohya-ss/sd-scripts/blob/main/docs/train_SDXL-en.md",
    "kohya_ss 1288": "https://github.com/bmaltais/kohya_ss/issues/1288",
    "kohya_ss 1504": "https://github.com/bmaltais/kohya_ss/issues/1504",
    "kohya_ss 1730": "https://github.com/bmaltais/kohya_ss/issues/1730",
    "kohya_ss 2474": "https://github.com/bmaltais/kohya_ss/issues/2474",
    "kohya_ss 3329": "https://github.com/bmaltais/kohya_ss/issues/3329",
    "kohya_ss 3332": "https://github.com/bmaltais/kohya_ss/issues/3332",
    "kohya_ss, options": "https://github.com/bmaltais/kohya_ss/blob/master/docs/LoRA/options.md",
    "LoRA_Easy 14": "https://github.com/derrian-distro/LoRA_Easy_Training_Scripts/issues/14",
    "diffusers, lora": "https://huggingface.co/docs/diffusers/training/lora",
    "diffusers 4470": "https://github.com/huggingface/diffusers/pull/4470",
}
"""Address of each source."""

RESERVED_OVER_ALLOCATED = {
    "fused attention, whole base": (1.042, 1.062, 1.087),
    "fused attention, nf4 base": (1.057, 1.125, 1.254),
    "attention step by step": (1.055, 1.180, 1.488),
    "all 79": (1.042, 1.125, 1.488),
}
"""Least, median and most of what torch's allocator reserved over what was allocated at the peak, in 79 runs of LoRAs
on language models on a T4 (torch 2.10 to 2.14, its settings untouched): github.com/apexgpu/fitcheck, data/measurements
of version 0.3.1. Those with a whole base and fused attention are the nearest to a training here."""

CONTEXT_MIB = {"Tesla T4, the same 79 runs": 141, "RTX 3090, InvokeAI 9413": 256, "PyTorch 109888, 107667": 400}
"""The CUDA context, in MiB."""


@dataclass(frozen=True)
class Setup:
    """A training, as far as memory and time depend on it."""

    family: str = "sd1"
    px: int = 512
    batch_size: int = 1
    accumulation: int = 1
    rank: int = 32
    text: str = "trained"
    """`trained`; `encoded` in each step; `cached`."""
    checkpointing: bool = False
    dtype: str = "bfloat16"
    base_dtype: str = ""
    """What the denoiser is kept in; empty: `dtype`."""
    optimizer: str = "adamw8bit"
    kind: str = "lora"
    conv_rank: int = 0
    cache_latents: bool = True

    @property
    def structure(self) -> Structure:
        """The published model's."""
        found = family_facts(self.family).standard
        assert found is not None
        return found

    @property
    def title(self) -> str:
        """E.g. `SDXL 1024 px, batch 4 x 2, rank 32, checkpointing`."""
        batch = f"{self.batch_size}" if self.accumulation == 1 else f"{self.batch_size} x {self.accumulation}"
        kind = "" if self.kind == "lora" else f" {self.kind}"
        more = [self.base_dtype or "", "checkpointing" * self.checkpointing, f"text {self.text}"]
        head = f"{family_facts(self.family).title} {self.px} px{kind}"
        return ", ".join(filter(None, [head, f"batch {batch}", f"rank {self.rank}", *more]))

    def config(self) -> TrainingConfig:
        """As a training would be given it."""
        return parse_config(
            {
                "model": {"path": "", "family": self.family},
                "dataset": {"images": "", "resolution_px": self.px},
                "network": {
                    "rank": self.rank, "alpha": self.rank / 2, "kind": self.kind, "conv_rank": self.conv_rank,
                },
                "optimizer": {
                    "name": self.optimizer,
                    "text_encoder_learning_rate": 5e-5 if self.text == "trained" else 0.0,
                },
                "schedule": {"batch_size": self.batch_size, "gradient_accumulation": self.accumulation},
                "memory": {
                    "preset": "high",
                    "gradient_checkpointing": self.checkpointing,
                    "compute_dtype": self.dtype,
                    "base_dtype": self.base_dtype or self.dtype,
                    "cache_text": self.text == "cached",
                    "cache_latents": self.cache_latents,
                },
                "saving": {"name": "published"},
            }
        )  # fmt: skip


@dataclass(frozen=True)
class MemoryRow:
    """A published figure of memory."""

    source: str
    setup: Setup
    gib: float
    kind: Kind
    card: str = ""


@dataclass(frozen=True)
class TimeRow:
    """A published time of one optimizer step."""

    source: str
    card: str
    """By its name in `advisor.machine.cards`."""
    setup: Setup
    seconds: float
    comparable: bool = True
    """A card people have at home (or Colab's T4) with a base in half precision; else a server's card, on which
    launching takes most, or another trainer's quantised base."""


SD1 = Setup()
SD1_LORA = Setup(rank=16, text="cached", optimizer="adamw")
SDXL = Setup("sdxl", 1024, rank=16, text="cached", optimizer="adamw")
SDXL_LOKR = replace(SDXL, kind="lokr")
KOLORS = replace(SDXL, px=512)
"""SDXL's U-Net; the page says 1024 px, its memory says 512."""
SDXL_KOHYA = replace(SDXL, rank=32, text="trained")


def _checkpointed(setup: Setup) -> Setup:
    return replace(setup, checkpointing=True)


def _int8(setup: Setup) -> Setup:
    return replace(setup, base_dtype="int8")


def _simpletuner_memory() -> tuple[MemoryRow, ...]:
    figures = (
        (SD1_LORA, 2.87, "H100"), (_checkpointed(SD1_LORA), 1.98, "H100"), (SD1_LORA, 2.83, "L40S"),
        (_checkpointed(SD1_LORA), 1.93, "L40S"), (SDXL_LOKR, 13.03, "H100"), (_checkpointed(SDXL_LOKR), 6.53, "H100"),
        (_int8(_checkpointed(SDXL_LOKR)), 4.64, "H100"), (_int8(_checkpointed(SD1_LORA)), 1.79, "H100"),
        (_int8(SD1_LORA), 3.07, "H100"), (KOLORS, 7.22, "H100"), (_checkpointed(KOLORS), 5.36, "H100"),
    )  # fmt: skip
    return tuple(
        MemoryRow("SimpleTuner", setup, gib, "keeps_more" if setup.base_dtype else "alike", card)
        for setup, gib, card in figures
    )


def _arca_memory() -> tuple[MemoryRow, ...]:
    plain = {1: 6.0, 2: 7.1, 4: 10.1, 6: 12.8, 8: 15.4, 11: 19.5, 13: 22.2}
    checkpointed = {1: 6.2, 2: 7.0, 5: 8.4, 14: 13.1, 20: 16.2, 30: 21.1}
    return tuple(
        MemoryRow("arca.live, post 77209577", replace(SD1, batch_size=batch, checkpointing=on), gib, "keeps_more")
        for on, found in ((False, plain), (True, checkpointed))
        for batch, gib in found.items()
    )


MEMORY_ROWS: tuple[MemoryRow, ...] = (
    *_simpletuner_memory(),
    *_arca_memory(),
    *(
        MemoryRow("LyCORIS, Guidelines", replace(SD1, batch_size=8, **more), mib / 1024, "keeps_more", "4090")
        for more, mib in (
            (dict[str, object](), 15420), ({"rank": 64}, 16348), ({"kind": "locon", "conv_rank": 32}, 17350),
            ({"kind": "loha", "rank": 16, "conv_rank": 16}, 16750),
        )
    ),
    MemoryRow("OneTrainer 776", replace(_checkpointed(SDXL), batch_size=4, dtype="float16"), 8.0, "alike"),
    MemoryRow("sd-scripts 1057", replace(_int8(_checkpointed(SDXL)), optimizer="adamw8bit"), 4.4, "keeps_more"),
    MemoryRow("kohya_ss 3329", _checkpointed(SDXL), 7.5, "keeps_more"),
    MemoryRow("sd-scripts, train_SDXL-en", replace(_checkpointed(SDXL), rank=8, optimizer="adamw8bit"), 7.5, "bound"),
    MemoryRow("sd-scripts 661", replace(_checkpointed(SDXL), rank=256, optimizer="adafactor"), 11.7, "bound"),
    MemoryRow("sd-scripts 661", _checkpointed(SDXL_KOHYA), 11.7, "bound"),
    MemoryRow("kohya_ss 1730", replace(SD1, batch_size=4, rank=64), 10.7, "bound"),
    MemoryRow("kohya_ss 2474", replace(_checkpointed(SD1), rank=8, dtype="float16"), 4.0, "keeps_more"),
    MemoryRow("kohya_ss 1504", replace(SD1, px=768, batch_size=2), 11.7, "bound"),
    MemoryRow("LoRA_Easy 14", replace(SD1, batch_size=6), 11.7, "bound"),
    MemoryRow("kohya_ss, options", replace(SD1, batch_size=2), 5.7, "bound"),
)  # fmt: skip
"""All figures of memory."""


def _simpletuner_times() -> tuple[TimeRow, ...]:
    """Both cards in each row take about the same time, though one computes more than twice as fast."""
    figures = (
        (SD1_LORA, 0.181, 0.176), (_checkpointed(SD1_LORA), 0.305, 0.292),
        (SDXL_LOKR, 0.606, 0.585), (_checkpointed(SDXL_LOKR), 1.080, 1.029),
        (KOLORS, 0.635, 0.628), (_checkpointed(KOLORS), 1.118, 1.065),
        (_int8(SD1_LORA), 0.446, 0.431), (_int8(_checkpointed(SD1_LORA)), 0.701, 0.666),
        (_int8(SDXL_LOKR), 1.741, 1.643), (_int8(_checkpointed(SDXL_LOKR)), 2.820, 2.647),
        (_int8(KOLORS), 1.860, 1.726), (_int8(_checkpointed(KOLORS)), 2.967, 2.803),
    )  # fmt: skip
    return tuple(
        TimeRow("SimpleTuner", card, setup, seconds, comparable=False)
        for setup, *pair in figures
        for card, seconds in zip(("H100", "L40S"), pair, strict=True)
    )


LYCORIS_STEPS = 49622
"""Of each of its runs; it tells hours and minutes."""

TIME_ROWS: tuple[TimeRow, ...] = (
    TimeRow("sd-scripts 827", "RTX 3090 Ti", SDXL_KOHYA, 1.12),
    TimeRow("kohya_ss 1288", "RTX 4090", replace(SDXL_KOHYA, rank=64), 0.926),
    TimeRow("kohya_ss 1288", "RTX 4090", replace(_checkpointed(SDXL_KOHYA), batch_size=8), 3.0),
    TimeRow("kohya_ss 1288", "RTX 3060 12GB", _checkpointed(SDXL_KOHYA), 2.55),
    TimeRow("kohya_ss 1288", "RTX 3090", SDXL_KOHYA, 1.3),
    TimeRow("LyCORIS, Guidelines", "RTX 4090", replace(SD1, batch_size=8, rank=64), 245 * 60 / LYCORIS_STEPS),
    TimeRow("LyCORIS, Guidelines", "RTX 4090", replace(SD1, batch_size=8), 245 * 60 / LYCORIS_STEPS),
    TimeRow(
        "diffusers, lora", "RTX 2080 Ti",
        Setup(accumulation=4, rank=4, text="encoded", dtype="float16", optimizer="adamw", cache_latents=False), 1.2,
    ),
    TimeRow(
        "diffusers 4470", "T4",
        replace(_checkpointed(SDXL), accumulation=4, rank=4, dtype="float16", optimizer="adamw8bit"), 10.8,
    ),
    TimeRow("kohya_ss 3332", "RTX 5090", replace(_checkpointed(SDXL_KOHYA), batch_size=4, accumulation=2), 3.45),
    TimeRow("kohya_ss 3332", "RTX 5090", replace(SDXL_KOHYA, batch_size=4, accumulation=2), 3.45),
    *_simpletuner_times(),
)  # fmt: skip
"""All times. The last but one of home cards does not say whether checkpointing was on: both ways are listed."""
