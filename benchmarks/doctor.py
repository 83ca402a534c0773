"""How well the data-set doctor tells copies, blur, bars and typos, on a generated set whose labels are known.

python -m benchmarks.doctor      # writes benchmarks/results/doctor.md
"""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageChops, ImageFilter, ImageOps

from advisor.dataset.doctor.measure import SMALL_PX
from advisor.dataset.doctor.pixel_checks import BLURRED, LEAST_BAR_SHARE
from advisor.dataset.doctor.pixel_measures import Grey, blur
from advisor.dataset.doctor.side_bars import bars
from advisor.dataset.doctor.tag_checks import is_misspelt
from advisor.dataset.near_duplicates.fingerprint import Fingerprint, quick_cells
from advisor.dataset.near_duplicates.match import matches
from tests.support.paths import REPOSITORY
from tests.support.pictures import scene

RESULTS = Path(__file__).parent / "results" / "doctor.md"
NUM_SCENES, FIRST_SEED, SIZE = 30, 410_000, (512, 512)
TAGS = (
    "smile", "open mouth", "glasses", "standing", "sitting", "long hair", "short hair", "purple hair", "school uniform",
    "white shirt", "white skirt", "blue eyes", "green eyes", "looking at viewer", "outdoors", "indoors", "upper body",
    "full body", "holding umbrella", "red scarf", "black boots", "twintails", "ponytail", "backpack", "necklace",
    "closed eyes", "closed mouth", "night sky", "cherry blossoms", "from behind", "from side", "hat", "cat", "bat",
    "skirt", "shirt", "shorts", "bow", "bowl", "crown", "brown hair", "grown", "wing", "wings", "ring", "king",
)  # fmt: skip
"""Each a tag that people write; some are a letter from others."""

INTRODUCTION = """# What the data-set doctor finds

Written by `python -m benchmarks.doctor`: drawn scenes, others with grain and shading as photographs have them, and the
demo's pictures; no threshold was chosen on these scenes. Precision is of all that are told, recall of all labelled.

| what | labelled | found | others | told of those | precision | recall |
|---|---|---|---|---|---|---|""".splitlines()

Row = tuple[str, int, int, int, int]
"""What, labelled so, found of these, labelled otherwise, found of those."""


def main() -> None:
    """Measure all, and write the table."""
    rows = [*copies(), *blurs(), *borders(), *typos()]
    lines = [*INTRODUCTION]
    for what, labelled, found, others, false in rows:
        precision = f"{found / (found + false):.3f}" if found + false else "-"
        recall = f"{found / labelled:.3f}" if labelled else "-"
        lines.append(f"| {what} | {labelled} | {found} | {others:,} | {false} | {precision} | {recall} |")
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def pictures() -> list[Image.Image]:
    """Drawn scenes, and as many with grain and shading."""
    drawn = [scene(FIRST_SEED + index, SIZE) for index in range(NUM_SCENES)]
    return [
        *drawn,
        *(_as_photograph(scene(FIRST_SEED + NUM_SCENES + index, SIZE), index) for index in range(NUM_SCENES)),
    ]


def _as_photograph(picture: Image.Image, seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    grain = rng.normal(0, 5, (*SIZE, 3))
    shade = np.linspace(0.6, 1.2, SIZE[0])[None, :, None] * np.linspace(1.1, 0.8, SIZE[1])[:, None, None]
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.6)), np.float64)
    return Image.fromarray(np.clip(soft * shade + grain, 0, 255).astype(np.uint8))


def demo_pictures() -> list[Image.Image]:
    """Drawings of one figure that differ in face and ground."""
    folder = REPOSITORY / "trainer" / "assets" / "demo" / "character"
    found = []
    for path in sorted(folder.glob("*.png")):
        with Image.open(path) as image:
            found.append(image.convert("RGB"))
    return found


def altered(picture: Image.Image, rng: Random) -> Iterator[tuple[str, Image.Image]]:
    """Copies of a picture, each with what was done to it."""
    yield "copies: JPEG of quality 40", _jpeg(picture, 40)
    yield "copies: half as large", picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS)
    yield "copies: mirrored", ImageOps.mirror(picture)
    yield "copies: brighter", ImageChops.multiply(picture, Image.new("RGB", picture.size, (225, 225, 225)))
    for area in (0.9, 0.75, 0.6):
        side = area**0.5
        left, top = rng.uniform(0, 1 - side), rng.uniform(0, 1 - side)
        box = [round(share * SIZE[0]) for share in (left, top, left + side, top + side)]
        yield f"copies: cropped to {area:.0%}", _jpeg(picture.crop((box[0], box[1], box[2], box[3])), 80)


def _jpeg(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def copies() -> Iterator[Row]:
    """Each kind of copy beside all originals; what is labelled otherwise are pairs of different pictures."""
    rng, originals = Random(1), pictures()
    of_kind = defaultdict[str, list[Image.Image]](list)
    for picture in originals:
        for kind, copy in altered(picture, rng):
            of_kind[kind].append(copy)
    prints, number = [_fingerprint(one) for one in originals], len(originals)
    for kind, made in of_kind.items():
        found = matches([*prints, *(_fingerprint(one) for one in made)])
        right = sum(1 for one in found if abs(one.first - one.second) == number)
        yield kind, number, right, number * (2 * number - 1) - number, len(found) - right
    figures = [_fingerprint(one) for one in demo_pictures()]
    yield "copies: one figure, other faces", 0, 0, len(figures) * (len(figures) - 1) // 2, len(matches(figures))


def _fingerprint(picture: Image.Image) -> Fingerprint:
    """As the doctor takes it."""
    return Fingerprint(*picture.size, quick_cells(picture, picture.convert("L").reduce(_step(picture))))


def blurs() -> Iterator[Row]:
    """Blurred by each radius; sharp pictures are the others."""
    sharp = [*pictures(), *demo_pictures()]
    false = sum(1 for one in sharp if _is_blurred(one))
    for radius in (1.5, 2, 3, 5):
        found = sum(1 for one in sharp if _is_blurred(one.filter(ImageFilter.GaussianBlur(radius))))
        yield f"blur: radius {radius:g}", len(sharp), found, len(sharp), false


def _is_blurred(picture: Image.Image) -> bool:
    grey, small, _ = _grey(picture)
    found = blur(grey, small)
    return found is not None and found >= BLURRED


def _grey(picture: Image.Image) -> tuple[Image.Image, Grey, int]:
    """Its brightness, the copy that blur and bars are looked for in, and how many times smaller it is."""
    step, grey = _step(picture), picture.convert("L")
    return grey, np.asarray(grey.reduce(step)), step


def _step(picture: Image.Image) -> int:
    return max(1, min(picture.size) // SMALL_PX)


def borders() -> Iterator[Row]:
    """Bars of each width above and below; pictures without are the others."""
    plain = [*pictures(), *demo_pictures()]
    false = sum(1 for one in plain if _has_bars(one))
    for share in (0.02, 0.05, 0.12):
        found = Counter[bool]()
        for index, one in enumerate(plain):
            bar = round(share * one.height)
            framed = Image.new("RGB", (one.width, one.height + 2 * bar), ("black", "white", (40, 40, 60))[index % 3])
            framed.paste(one, (0, bar))
            found[_has_bars(_jpeg(framed, 85))] += 1
        yield f"bars: {share:.0%} of the height", len(plain), found[True], len(plain), false


def _has_bars(picture: Image.Image) -> bool:
    grey, small, step = _grey(picture)
    left, top, right, bottom = bars(grey, small, step)
    return min(top, bottom) >= LEAST_BAR_SHARE * picture.height or min(left, right) >= LEAST_BAR_SHARE * picture.width


def typos() -> Iterator[Row]:
    """A letter left out, doubled, swapped or changed in tags of five letters and more; other tags are the others."""
    rng, wrong = Random(2), list[tuple[str, str]]()
    for tag in TAGS:
        words = tag.split()
        place = max(range(len(words)), key=lambda index: len(words[index]))
        word = words[place]
        if len(word) < 5:
            continue
        at = rng.randrange(1, len(word) - 1)
        for typed in (
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + rng.choice("qxzjkv") + word[at + 1 :],
        ):
            if typed != word:
                wrong.append((" ".join([*words[:place], typed, *words[place + 1 :]]), tag))
    found = sum(1 for typed, tag in wrong if is_misspelt(typed, tag))
    pairs = [(one, other) for one in TAGS for other in TAGS if one != other]
    yield "typos: a letter wrong", len(wrong), found, len(pairs), sum(1 for pair in pairs if is_misspelt(*pair))


if __name__ == "__main__":
    main()
