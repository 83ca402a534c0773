"""NVIDIA's cards by name, so that a plan can be made for one that is in another machine.

Memory, cores, clocks, bandwidth and power are those of NVIDIA's data sheets (nvidia.com/geforce/graphics-cards/compare,
nvidia.com/data-center), compute capabilities those of developer.nvidia.com/cuda-gpus. Boost clocks are the sheets'; a
driver tells the highest clock that a chip may reach, which is up to a quarter more. Cards with error-correcting memory
have the memory that their driver reports with it on. Laptops' chips
are taken at the most power that they are sold with.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from advisor.errors import HardwareError
from advisor.machine.hardware import Gpu
from advisor.units import GIB


@dataclass(frozen=True)
class Card:
    """A card as it is sold."""

    name: str
    """As its driver reports it."""
    memory_gib: float
    compute_capability: tuple[int, int]
    cuda_cores: int
    boost_mhz: int
    bandwidth: int
    """Of its memory, in 1e9 bytes a second."""
    watts: int
    """The board's power limit."""

    @property
    def short_name(self) -> str:
        """Without the maker's words, with the memory: `RTX 3060 12GB`."""
        words = [word for word in self.name.split() if word not in ("NVIDIA", "GeForce", "Tesla", "GPU")]
        return f"{' '.join(words)} {self.memory_gib:g}GB"

    def as_gpu(self) -> Gpu:
        """The card in an idle machine with a desktop on it."""
        card = Gpu(
            self.name, 0, 0, self.compute_capability, cuda_cores=self.cuda_cores, max_clock_mhz=self.boost_mhz,
            memory_bytes_per_second=self.bandwidth * 1e9, power_limit_watts=float(self.watts),
        )  # fmt: skip
        return card.of_size(round(self.memory_gib * GIB))


PASCAL, VOLTA, TURING, AMPERE_SERVER, AMPERE, ADA, HOPPER, BLACKWELL = (
    (6, 1), (7, 0), (7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (12, 0),
)  # fmt: skip

_ROWS = (
    ("NVIDIA GeForce GTX 1050 Ti", 4, PASCAL, 768, 1392, 112, 75),
    ("NVIDIA GeForce GTX 1060", 3, PASCAL, 1152, 1708, 192, 120),
    ("NVIDIA GeForce GTX 1060", 6, PASCAL, 1280, 1708, 192, 120),
    ("NVIDIA GeForce GTX 1070", 8, PASCAL, 1920, 1683, 256, 150),
    ("NVIDIA GeForce GTX 1070 Ti", 8, PASCAL, 2432, 1683, 256, 180),
    ("NVIDIA GeForce GTX 1080", 8, PASCAL, 2560, 1733, 320, 180),
    ("NVIDIA GeForce GTX 1080 Ti", 11, PASCAL, 3584, 1582, 484, 250),
    ("NVIDIA GeForce GTX 1630", 4, TURING, 512, 1785, 96, 75),
    ("NVIDIA GeForce GTX 1650", 4, TURING, 896, 1665, 128, 75),
    ("NVIDIA GeForce GTX 1650 SUPER", 4, TURING, 1280, 1725, 192, 100),
    ("NVIDIA GeForce GTX 1660", 6, TURING, 1408, 1785, 192, 120),
    ("NVIDIA GeForce GTX 1660 SUPER", 6, TURING, 1408, 1785, 336, 125),
    ("NVIDIA GeForce GTX 1660 Ti", 6, TURING, 1536, 1770, 288, 120),
    ("NVIDIA GeForce RTX 2060", 6, TURING, 1920, 1680, 336, 160),
    ("NVIDIA GeForce RTX 2060", 12, TURING, 2176, 1650, 336, 184),
    ("NVIDIA GeForce RTX 2060 SUPER", 8, TURING, 2176, 1650, 448, 175),
    ("NVIDIA GeForce RTX 2070", 8, TURING, 2304, 1620, 448, 175),
    ("NVIDIA GeForce RTX 2070 SUPER", 8, TURING, 2560, 1770, 448, 215),
    ("NVIDIA GeForce RTX 2080", 8, TURING, 2944, 1710, 448, 215),
    ("NVIDIA GeForce RTX 2080 SUPER", 8, TURING, 3072, 1815, 496, 250),
    ("NVIDIA GeForce RTX 2080 Ti", 11, TURING, 4352, 1545, 616, 250),
    ("NVIDIA TITAN RTX", 24, TURING, 4608, 1770, 672, 280),
    ("NVIDIA GeForce RTX 3050", 6, AMPERE, 2304, 1470, 168, 70),
    ("NVIDIA GeForce RTX 3050", 8, AMPERE, 2560, 1777, 224, 130),
    ("NVIDIA GeForce RTX 3060", 12, AMPERE, 3584, 1777, 360, 170),
    ("NVIDIA GeForce RTX 3060", 8, AMPERE, 3584, 1777, 240, 170),
    ("NVIDIA GeForce RTX 3060 Ti", 8, AMPERE, 4864, 1665, 448, 200),
    ("NVIDIA GeForce RTX 3070", 8, AMPERE, 5888, 1725, 448, 220),
    ("NVIDIA GeForce RTX 3070 Ti", 8, AMPERE, 6144, 1770, 608, 290),
    ("NVIDIA GeForce RTX 3080", 10, AMPERE, 8704, 1710, 760, 320),
    ("NVIDIA GeForce RTX 3080", 12, AMPERE, 8960, 1710, 912, 350),
    ("NVIDIA GeForce RTX 3080 Ti", 12, AMPERE, 10240, 1665, 912, 350),
    ("NVIDIA GeForce RTX 3090", 24, AMPERE, 10496, 1695, 936, 350),
    ("NVIDIA GeForce RTX 3090 Ti", 24, AMPERE, 10752, 1860, 1008, 450),
    ("NVIDIA GeForce RTX 3050 Laptop GPU", 4, AMPERE, 2048, 1740, 192, 80),
    ("NVIDIA GeForce RTX 3050 Ti Laptop GPU", 4, AMPERE, 2560, 1695, 192, 80),
    ("NVIDIA GeForce RTX 3060 Laptop GPU", 6, AMPERE, 3840, 1703, 336, 115),
    ("NVIDIA GeForce RTX 3070 Laptop GPU", 8, AMPERE, 5120, 1620, 448, 125),
    ("NVIDIA GeForce RTX 3070 Ti Laptop GPU", 8, AMPERE, 5888, 1485, 448, 125),
    ("NVIDIA GeForce RTX 3080 Laptop GPU", 8, AMPERE, 6144, 1710, 448, 150),
    ("NVIDIA GeForce RTX 3080 Laptop GPU", 16, AMPERE, 6144, 1710, 448, 150),
    ("NVIDIA GeForce RTX 3080 Ti Laptop GPU", 16, AMPERE, 7424, 1590, 512, 150),
    ("NVIDIA GeForce RTX 4060", 8, ADA, 3072, 2460, 272, 115),
    ("NVIDIA GeForce RTX 4060 Ti", 8, ADA, 4352, 2535, 288, 160),
    ("NVIDIA GeForce RTX 4060 Ti", 16, ADA, 4352, 2535, 288, 165),
    ("NVIDIA GeForce RTX 4070", 12, ADA, 5888, 2475, 504, 200),
    ("NVIDIA GeForce RTX 4070 SUPER", 12, ADA, 7168, 2475, 504, 220),
    ("NVIDIA GeForce RTX 4070 Ti", 12, ADA, 7680, 2610, 504, 285),
    ("NVIDIA GeForce RTX 4070 Ti SUPER", 16, ADA, 8448, 2610, 672, 285),
    ("NVIDIA GeForce RTX 4080", 16, ADA, 9728, 2505, 717, 320),
    ("NVIDIA GeForce RTX 4080 SUPER", 16, ADA, 10240, 2550, 736, 320),
    ("NVIDIA GeForce RTX 4090", 24, ADA, 16384, 2520, 1008, 450),
    ("NVIDIA GeForce RTX 4050 Laptop GPU", 6, ADA, 2560, 2370, 192, 115),
    ("NVIDIA GeForce RTX 4060 Laptop GPU", 8, ADA, 3072, 2370, 256, 115),
    ("NVIDIA GeForce RTX 4070 Laptop GPU", 8, ADA, 4608, 2175, 256, 115),
    ("NVIDIA GeForce RTX 4080 Laptop GPU", 12, ADA, 7424, 2280, 432, 150),
    ("NVIDIA GeForce RTX 4090 Laptop GPU", 16, ADA, 9728, 2040, 576, 150),
    ("NVIDIA GeForce RTX 5050", 8, BLACKWELL, 2560, 2572, 320, 130),
    ("NVIDIA GeForce RTX 5060", 8, BLACKWELL, 3840, 2497, 448, 145),
    ("NVIDIA GeForce RTX 5060 Ti", 8, BLACKWELL, 4608, 2572, 448, 180),
    ("NVIDIA GeForce RTX 5060 Ti", 16, BLACKWELL, 4608, 2572, 448, 180),
    ("NVIDIA GeForce RTX 5070", 12, BLACKWELL, 6144, 2512, 672, 250),
    ("NVIDIA GeForce RTX 5070 Ti", 16, BLACKWELL, 8960, 2452, 896, 300),
    ("NVIDIA GeForce RTX 5080", 16, BLACKWELL, 10752, 2617, 960, 360),
    ("NVIDIA GeForce RTX 5090", 32, BLACKWELL, 21760, 2407, 1792, 575),
    ("NVIDIA GeForce RTX 5050 Laptop GPU", 8, BLACKWELL, 2560, 2662, 384, 100),
    ("NVIDIA GeForce RTX 5060 Laptop GPU", 8, BLACKWELL, 3328, 2497, 384, 100),
    ("NVIDIA GeForce RTX 5070 Laptop GPU", 8, BLACKWELL, 4608, 2347, 384, 100),
    ("NVIDIA GeForce RTX 5070 Ti Laptop GPU", 12, BLACKWELL, 5888, 2220, 672, 115),
    ("NVIDIA GeForce RTX 5080 Laptop GPU", 16, BLACKWELL, 7680, 2287, 896, 150),
    ("NVIDIA GeForce RTX 5090 Laptop GPU", 24, BLACKWELL, 10496, 2160, 896, 150),
    ("Tesla P40", 24, PASCAL, 3840, 1531, 346, 250),
    ("Tesla P100", 16, (6, 0), 3584, 1328, 732, 250),
    ("Tesla T4", 15, TURING, 2560, 1590, 320, 70),
    ("Tesla V100", 16, VOLTA, 5120, 1530, 900, 300),
    ("Tesla V100", 32, VOLTA, 5120, 1530, 900, 300),
    ("NVIDIA A10", 22.5, AMPERE, 9216, 1695, 600, 150),
    ("NVIDIA A10G", 22.5, AMPERE, 9216, 1710, 600, 300),
    ("NVIDIA A40", 45, AMPERE, 10752, 1740, 696, 300),
    ("NVIDIA A100", 40, AMPERE_SERVER, 6912, 1410, 1555, 400),
    ("NVIDIA A100", 80, AMPERE_SERVER, 6912, 1410, 2039, 400),
    ("NVIDIA L4", 22.5, ADA, 7424, 2040, 300, 72),
    ("NVIDIA L40S", 45, ADA, 18176, 2520, 864, 350),
    ("NVIDIA H100", 80, HOPPER, 16896, 1830, 3350, 700),
    ("NVIDIA H200", 141, HOPPER, 16896, 1830, 4800, 700),
    ("Quadro RTX 4000", 8, TURING, 2304, 1545, 416, 160),
    ("Quadro RTX 5000", 16, TURING, 3072, 1815, 448, 265),
    ("Quadro RTX 6000", 24, TURING, 4608, 1770, 672, 295),
    ("NVIDIA RTX A2000", 6, AMPERE, 3328, 1200, 288, 70),
    ("NVIDIA RTX A2000", 12, AMPERE, 3328, 1200, 288, 70),
    ("NVIDIA RTX A4000", 16, AMPERE, 6144, 1560, 448, 140),
    ("NVIDIA RTX A5000", 24, AMPERE, 8192, 1695, 768, 230),
    ("NVIDIA RTX A6000", 48, AMPERE, 10752, 1800, 768, 300),
    ("NVIDIA RTX 4000 Ada", 20, ADA, 6144, 2175, 360, 130),
    ("NVIDIA RTX 6000 Ada", 48, ADA, 18176, 2505, 960, 300),
    ("NVIDIA RTX PRO 6000 Blackwell", 96, BLACKWELL, 24064, 2617, 1792, 600),
)
"""Name, memory in GiB, compute capability, CUDA cores, boost clock in MHz, bandwidth in 1e9 bytes a second, watts."""

CARDS = tuple(Card(*row) for row in _ROWS)
"""All that can be planned for by name."""

_MAKER_WORDS = frozenset(
    [
        "nvidia",
        "geforce",
        "tesla",
        "gpu",
        "graphics",
        "card",
        "generation",
        "sxm",
        "sxm2",
        "sxm4",
        "sxm5",
        "pcie",
        "hbm2",
        "hbm2e",
        "hbm3",
        "hbm3e",
        "max",
        "q",
    ]
)
_SERIES_WORDS = re.compile(r"^(?:quadro)?(?:rtx|gtx)(?=\w)|^quadro")
_MEMORY = re.compile(r"[\s(_-]+(\d+(?:\.\d+)?)\s*gi?b?\)?(?=\s|$)")
_REPORTED_SHARE = 15 / 16
"""Of the memory as it is sold; the rest holds the codes of error-correcting memory (24 GB: 22.5 GiB)."""


BY_MEMORY = "give its memory with --vram 8GiB"
"""What to do on the command line with a card that is not known here."""


def card_named(text: str, *, total_bytes: int | None = None, else_do: str = BY_MEMORY) -> Card:
    """The card that is meant by `RTX 4060 Ti 16GB`, `4060 ti (16 GB)`, `3060 laptop` or a driver's own name of it.

    Args:
        total_bytes: of the cards of that name the one nearest to this size is meant, also where its memory was changed.
        else_do: what the user can do who has another card, for the messages.

    Raises:
        HardwareError: no card is called so, or none of that memory, or several and none is named; the message lists
            what is near.
    """
    memory = _MEMORY.search(text.lower())
    key = _key(_MEMORY.sub(" ", text.lower()))
    named = [card for card in CARDS if key and key in _keys(card)]
    fitting = [card for card in named if memory is None or _has_memory(card, float(memory[1]))]
    if fitting and total_bytes is not None:
        return min(fitting, key=lambda card: abs(card.memory_gib * GIB - total_bytes))
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise HardwareError(f"{text!r} was sold with more and less memory: write {_listed(fitting)}")
    if named:
        raise HardwareError(f"{text!r} is not known here, but {_listed(named)} is; else {else_do}")
    keys = {one: card for card in CARDS for one in _keys(card)}
    near = dict.fromkeys(keys[one] for one in difflib.get_close_matches(key, keys, n=4))
    mend = f"did you mean {_listed(tuple(near))}? Else" if near else "write it as RTX 3060 12GB, or"
    raise HardwareError(f"{text!r} is no card that is known here: {mend} {else_do}")


def _has_memory(card: Card, sold_gb: float) -> bool:
    return sold_gb * _REPORTED_SHARE <= card.memory_gib <= sold_gb


def _keys(card: Card) -> tuple[str, ...]:
    """What a card is called: with and without its series."""
    whole = _key(card.name.lower())
    return (whole, _SERIES_WORDS.sub("", whole)) if _SERIES_WORDS.search(whole) else (whole,)


def _key(words: str) -> str:
    """A name as one word: without the maker's words, blanks and signs, with `super` and `laptop` in full."""
    kept = "".join(word for word in re.split(r"[\s_()/-]+", words) if word not in _MAKER_WORDS)
    full = re.sub(r"mobile|notebook|(?<=\d{4})m$", "laptop", kept)
    return re.sub(r"(?<=\d{4})s$|(?<=\d{4}ti)s$", "super", full)


def _listed(cards: tuple[Card, ...] | list[Card]) -> str:
    return " or ".join(card.short_name for card in cards)
