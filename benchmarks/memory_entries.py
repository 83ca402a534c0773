"""The configurations whose memory is counted: `benchmarks.memory_grid`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from advisor.families import family as family_facts
from advisor.families.structure import Structure
from advisor.settings.config import TrainingConfig


@dataclass(frozen=True)
class Entry:
    """One configuration of the grid."""

    family: str
    width: int = 512
    height: int = 512
    batch_size: int = 1
    rank: int = 32
    text: str = "trained"
    """`trained`; `encoded` in each step; `cached`."""
    checkpointing: bool = False
    dtype: str = "bfloat16"
    base_dtype: str | None = None
    """What the denoiser is kept in; None: the same."""
    parts: int = 1
    """Into how many the batch is split."""
    phases: bool = False
    """Caching and sampling are counted too."""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Further ones, by group."""
    blocks: int | None = None
    """Of the denoiser, where the family's models differ in that; None: as many as the published one has."""

    @property
    def name(self) -> str:
        """What tells it apart, e.g. `sd1 512x512 batch 4 rank 32 trained bfloat16`."""
        on_less = [] if self.base_dtype is None else [f"on {self.base_dtype}"]
        more = (
            [self.dtype, *on_less] + ["checkpointing"] * self.checkpointing + [f"{self.parts} parts"] * (self.parts > 1)
        )
        more += [f"{group}.{name} {value}" for group, own in self.settings.items() for name, value in own.items()]
        more += [f"{self.blocks} blocks"] * (self.blocks is not None)
        size = f"{self.width}x{self.height}"
        return " ".join([self.family, size, f"batch {self.batch_size} rank {self.rank} {self.text}", *more])

    @property
    def structure(self) -> Structure:
        """The published model's."""
        known = family_facts(self.family)
        found = known.of_blocks(self.blocks) if known.of_blocks and self.blocks else known.standard
        assert found is not None
        return found

    def config(self) -> TrainingConfig:
        """As a training would be given it."""
        from trainer.simulate.step import measured_config

        return measured_config(
            self.family,
            batch_size=self.batch_size,
            rank=self.rank,
            text=self.text,
            checkpointing=self.checkpointing,
            dtype=self.dtype,
            base_dtype=self.base_dtype,
            **self.settings,
        )


def small_unets(family: str, side: int) -> Iterator[Entry]:
    """What SD1 and SD2 are counted with: their own size, everything that a plan changes."""
    s: dict[str, Any] = {"family": family, "width": side, "height": side}
    yield Entry(**s, phases=True)
    yield Entry(**s, batch_size=4)
    yield Entry(**s, batch_size=4, checkpointing=True)
    yield Entry(**s, batch_size=4, text="cached")
    yield Entry(**s, batch_size=4, text="cached", checkpointing=True)
    yield Entry(**s, dtype="float32", phases=True)
    yield Entry(**s, dtype="float32", batch_size=2, checkpointing=True)
    yield Entry(**s, rank=128, checkpointing=True)
    yield Entry(**s, batch_size=2, text="encoded")
    yield Entry(family, 768, 320, batch_size=4)
    yield Entry(**s, batch_size=6, checkpointing=True)
    yield Entry(**s, batch_size=2, rank=16, settings={"network": {"kind": "locon", "conv_rank": 8}})


def more_of_sd1() -> Iterator[Entry]:
    """The family that most beginners train: the tutorial's sizes and ranks."""
    for side in (576, 768):
        yield Entry("sd1", side, side, batch_size=6 if side == 576 else 1)
        yield Entry("sd1", side, side, batch_size=4, checkpointing=True)
    yield Entry("sd1", 448, 576, batch_size=2)
    yield Entry("sd1", 384, 640, batch_size=4, checkpointing=True)
    yield Entry("sd1", rank=128, dtype="float32", checkpointing=True)
    yield Entry("sd1", rank=8)
    yield Entry("sd1", rank=128)
    yield Entry("sd1", batch_size=4, rank=64)
    yield Entry("sd1", batch_size=4, rank=64, text="cached")
    yield Entry("sd1", batch_size=4, rank=64, checkpointing=True, text="cached")
    yield Entry("sd1", 320, 320, checkpointing=True)
    yield Entry("sd1", 320, 320)
    yield Entry("sd1", dtype="float32", batch_size=4, text="cached")
    yield Entry("sd1", batch_size=2, settings={"dataset": {"max_tokens": 225}})
    yield Entry("sd1", rank=128, settings={"schedule": {"gradient_accumulation": 2}})
    yield Entry("sd1", batch_size=4, parts=4)
    yield Entry("sd1", batch_size=4, parts=2, rank=64, checkpointing=True)


def sdxl() -> Iterator[Entry]:
    """SDXL, its text encoders rarely trained."""
    s: dict[str, Any] = {"family": "sdxl", "width": 1024, "height": 1024}
    yield Entry(**s, rank=16, text="cached", phases=True)
    yield Entry(**s, rank=16, text="cached", checkpointing=True)
    yield Entry(**s, rank=16, text="cached", checkpointing=True, batch_size=4)
    yield Entry(**s, rank=16, checkpointing=True)
    yield Entry(**s, rank=16)
    yield Entry(**s, rank=16, batch_size=2, text="cached")
    yield Entry(**s, rank=64, text="cached", checkpointing=True)
    yield Entry(**s, rank=16, text="cached", dtype="float32", checkpointing=True)
    yield Entry(**s, rank=64, text="cached", dtype="float32", checkpointing=True)
    yield Entry(**s, rank=16, text="encoded", checkpointing=True, batch_size=2)
    yield Entry("sdxl", 768, 768, rank=16, text="cached", checkpointing=True)
    yield Entry("sdxl", 832, 1216, rank=32, text="cached", checkpointing=True, batch_size=2)
    yield Entry(**s, rank=32, text="cached", batch_size=4)
    yield Entry("sdxl", 512, 512, rank=16, text="cached", dtype="float32")
    yield Entry("sdxl", 640, 640, rank=16, text="cached", batch_size=2)
    yield Entry(**s, rank=32, batch_size=2, checkpointing=True)
    yield Entry("sdxl", 512, 512, rank=16, text="cached", checkpointing=True)
    yield Entry("sdxl", 768, 1344, rank=8, text="cached")
    yield Entry(
        "sdxl", 1024, 1024, rank=16, text="cached", checkpointing=True,
        settings={"network": {"kind": "locon", "conv_rank": 8}},
    )  # fmt: skip
    yield Entry(**s, rank=128, text="cached", checkpointing=True, batch_size=2)


def quantised() -> Iterator[Entry]:
    """Bases in 8 and 4 bits: what the coefficients come from, then what they are held to."""
    for family, side, rank, batch in (("sd1", 512, 32, 4), ("sd2", 768, 32, 4), ("sdxl", 1024, 16, 1)):
        s: dict[str, Any] = {"family": family, "width": side, "height": side, "rank": rank, "text": "cached"}
        yield Entry(**s, batch_size=batch, base_dtype="int8", phases=True)
        yield Entry(**s, batch_size=4, base_dtype="int8", checkpointing=True)
        yield Entry(**s, base_dtype="nf4", checkpointing=True)
        yield Entry(**s, base_dtype="nf4", phases=True)
    yield Entry("sd1", base_dtype="int8")
    yield Entry("sd1", base_dtype="nf4", dtype="float16", batch_size=2, checkpointing=True)
    yield Entry("sd1", base_dtype="int8", dtype="float32", text="cached")
    yield Entry("sd1", 320, 320, rank=8, base_dtype="nf4", text="cached", checkpointing=True)
    yield Entry("sd1", rank=128, base_dtype="nf4", checkpointing=True)
    yield Entry("sd2", 512, 512, base_dtype="int8", batch_size=2, rank=16)
    yield Entry("sdxl", 768, 768, rank=8, text="cached", base_dtype="nf4", checkpointing=True)
    yield Entry("sdxl", 512, 512, rank=8, text="cached", base_dtype="nf4", checkpointing=True)
    yield Entry("sdxl", 512, 512, rank=16, text="cached", base_dtype="nf4", checkpointing=True)
    yield Entry("sdxl", 1024, 1024, rank=16, base_dtype="int8", checkpointing=True)
    yield Entry("sdxl", 512, 512, rank=16, text="cached", base_dtype="nf4", dtype="float32", checkpointing=True)


def kinds() -> Iterator[Entry]:
    """Adapters that change the layer's weight, on whole bases and on packed ones."""
    for family, side, base_dtype in (("sd1", 512, None), ("sd1", 512, "int8"), ("sdxl", 768, "nf4")):
        for kind in ("dora", "loha", "lokr"):
            yield Entry(
                family, side, side, rank=16, text="cached", base_dtype=base_dtype, checkpointing=family == "sdxl",
                settings={"network": {"kind": kind, "conv_rank": 8 if base_dtype is None else 0}},
            )  # fmt: skip
    for base_dtype in ("int8", "nf4"):
        yield Entry(
            "sd2", 512, 512, batch_size=2, rank=16, base_dtype=base_dtype, checkpointing=base_dtype == "nf4",
            settings={"network": {"kind": "locon", "conv_rank": 8}},
        )  # fmt: skip


def some_blocks() -> Iterator[Entry]:
    """Checkpointing of the first blocks alone: what the shares come from, then what they are held to."""
    for blocks in range(1, 9):
        yield Entry("sd1", batch_size=4, text="cached", checkpointing=True, settings=first_blocks(blocks))
    for blocks in range(1, 7):
        yield Entry("sdxl", 1024, 1024, 1, 16, "cached", checkpointing=True, settings=first_blocks(blocks))
    yield Entry("sd1", batch_size=2, base_dtype="nf4", checkpointing=True, settings=first_blocks(3))
    yield Entry("sd2", 768, 768, batch_size=2, rank=64, checkpointing=True, settings=first_blocks(5))
    yield Entry("sdxl", 832, 1216, 2, 32, "cached", checkpointing=True, base_dtype="int8", settings=first_blocks(2))
    yield Entry("anima", text="cached", checkpointing=True, settings=first_blocks(10))
    yield Entry("anima", 1024, 1024, 1, 16, "cached", checkpointing=True, settings=first_blocks(21))
    for blocks in (2, 12, 28):
        yield Entry("z_image", 768, 768, 1, 16, "cached", checkpointing=True, settings=first_blocks(blocks))


def sliced() -> Iterator[Entry]:
    """Pictures that the VAE encodes and decodes in slices."""
    slices = {"memory": {"encode_slices": 2, "decode_slices": 6}}
    yield Entry("sdxl", 1024, 1024, 1, 16, "cached", True, base_dtype="int8", phases=True, settings=slices)
    yield Entry("anima", 832, 1216, 1, 16, "cached", True, phases=True, settings=slices)


def swapped() -> Iterator[Entry]:
    """Blocks that wait in the machine's memory: some and all, of every family, in every kind of base."""
    yield Entry("sd1", text="cached", checkpointing=True, settings=waiting(20))
    yield Entry("sd1", batch_size=4, base_dtype="int8", settings=waiting(38))
    yield Entry("sdxl", 1024, 1024, 1, 16, "cached", checkpointing=True, settings=waiting(40))
    yield Entry("sdxl", 1024, 1024, 1, 16, "cached", checkpointing=True, settings=waiting(87))
    yield Entry("sdxl", 1024, 1024, 2, 32, "cached", checkpointing=True, base_dtype="nf4", settings=waiting(60))
    yield Entry("anima", text="cached", checkpointing=True, settings=waiting(14))
    yield Entry("anima", 1024, 1024, 1, 16, "cached", checkpointing=True, settings=waiting(28))
    yield Entry("anima", 1024, 1024, 1, 16, "cached", checkpointing=True, base_dtype="int8", settings=waiting(20))
    yield Entry("z_image", 1024, 1024, 1, 16, "cached", checkpointing=True, base_dtype="int8", settings=waiting(24))


def waiting(number: int) -> Mapping[str, Mapping[str, Any]]:
    """The setting."""
    return {"memory": {"swapped_blocks": number}}


def first_blocks(number: int) -> Mapping[str, Mapping[str, Any]]:
    """The setting."""
    return {"memory": {"checkpointed_blocks": number}}


def anima() -> Iterator[Entry]:
    """Anima, whose text is always cached: 512 to 1024 px, what a plan changes, models with more and fewer blocks."""
    for side in (512, 1024):
        yield Entry("anima", side, side, text="cached", phases=side == 1024)
        yield Entry("anima", side, side, text="cached", checkpointing=True)
        yield Entry("anima", side, side, 4, text="cached", checkpointing=True)
        yield Entry("anima", side, side, text="cached", base_dtype="int8", checkpointing=side == 1024)
    s: dict[str, Any] = {"family": "anima", "width": 512, "height": 512, "text": "cached"}
    yield Entry(**s, batch_size=4)
    yield Entry(**s, rank=128)
    for base_dtype in (None, "nf4"):
        yield Entry(**s, rank=128, base_dtype=base_dtype, checkpointing=True)
    for rank in (8, 32):
        yield Entry(**s, rank=rank, base_dtype="nf4", checkpointing=True)
    yield Entry("anima", 768, 768, 2, 16, "cached", base_dtype="nf4", checkpointing=True)
    yield Entry("anima", 768, 768, rank=128, text="cached", checkpointing=True)
    yield Entry("anima", 832, 1216, 2, text="cached", checkpointing=True)
    yield Entry(**s, dtype="float32", checkpointing=True)
    yield Entry(**s, checkpointing=True, blocks=40)
    yield Entry(**s, blocks=12)
    yield Entry(
        "anima", 1024, 1024, rank=128, text="cached", checkpointing=True,
        settings={"schedule": {"gradient_accumulation": 2}},
    )  # fmt: skip
    yield Entry("anima", 1024, 1024, rank=8, text="cached", base_dtype="int8", checkpointing=True)
    for kind in ("dora", "loha", "lokr"):
        of_kind: dict[str, Any] = {"rank": 16, "text": "cached", "settings": {"network": {"kind": kind}}}
        yield Entry("anima", 768, 768, checkpointing=True, **of_kind)
        yield Entry("anima", 512, 512, **of_kind)
    for checkpointing in (False, True):
        yield Entry(**s, checkpointing=checkpointing, settings={"network": {"text_adapter": True}})


def z_image() -> Iterator[Entry]:
    """Z-Image, whose text is always cached: what its coefficients come from, and what they are held to."""
    s: dict[str, Any] = {"family": "z_image", "text": "cached"}
    for side in (512, 1024):
        yield Entry(**s, width=side, height=side)
        yield Entry(**s, width=side, height=side, batch_size=4, checkpointing=True)
    yield Entry(**s, rank=128)
    for rank in (8, 32):
        yield Entry(**s, rank=rank, base_dtype="nf4", checkpointing=True)
    yield Entry(**s, width=1024, height=1024, base_dtype="int8", checkpointing=True, phases=True)
    yield Entry(**s, width=832, height=1216, batch_size=2, base_dtype="int8", checkpointing=True)
    yield Entry(**s, width=1024, height=1024, rank=8, base_dtype="int8", checkpointing=True)
    yield Entry(**s, rank=128, checkpointing=True)
    of_kind: dict[str, Any] = {"rank": 16, "settings": {"network": {"kind": "lokr"}}}
    yield Entry(**s, **of_kind, width=768, height=768, base_dtype="int8", checkpointing=True)


def entries() -> tuple[Entry, ...]:
    """The whole grid."""
    return (
        *small_unets("sd1", 512),
        *sdxl(),
        *small_unets("sd2", 768),
        *more_of_sd1(),
        *quantised(),
        *kinds(),
        *anima(),
        *z_image(),
        *some_blocks(),
        *sliced(),
        *swapped(),
    )
