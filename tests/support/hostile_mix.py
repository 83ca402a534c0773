"""A folder of 500 pictures with everything wrong that the data-set doctor knows, several things at once in most."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from PIL import Image, ImageCms, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from tests.support.hostile_pictures import PLACES, POSES, clean_caption
from tests.support.pictures import scene

SIDE = 320
"""The pictures' sides, and the resolution that they are looked at for."""
NUM_MIXED, NUM_MARKED, NUM_COPIED = 330, 120, 45

TYPOS = (
    "standng", "stading", "sittng", "sittinng", "walkng", "runing", "kneling", "jumpig", "wavng", "forst", "kitchn",
    "libary", "roftop", "gardn", "staton",
)  # fmt: skip

Pixels = Callable[[Image.Image, int], Image.Image]


def hostile_mix(root: Path) -> Mapping[str, set[str]]:
    """Make the folder.

    Returns:
        by the code of each finding the files that it must name.
    """
    made = _Folder(root)
    for index in range(NUM_MIXED):
        _mixed(made, index)
    for index in range(NUM_COPIED):
        _copied(made, index)
    _broken(made)
    return made.expected


@dataclass
class _Folder:
    """What was made, and what must be found."""

    root: Path
    expected: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    typos: list[str] = field(default_factory=lambda: [*TYPOS, *TYPOS])
    """Those that no caption has yet."""

    def path(self, name: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def expect(self, name: str, *codes: str) -> None:
        for code in codes:
            self.expected[code].add(name)

    def caption(self, name: str, text: str, encoding: str = "utf-8", extension: str = ".txt") -> str:
        """Write a picture's caption; returns its file's name."""
        caption = str(Path(name).with_suffix(extension))
        self.path(caption).write_bytes(text.encode(encoding))
        return caption


def _blurred(image: Image.Image, _: int) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(4))


def _framed(image: Image.Image, index: int) -> Image.Image:
    framed = Image.new("RGB", image.size, ("black", "white", "#203040")[index % 3])
    bar = 16 + index % 20
    if index % 2:
        framed.paste(image.crop((0, 0, SIDE, SIDE - 2 * bar)), (0, bar))
    else:
        framed.paste(image.crop((0, 0, SIDE - 2 * bar, SIDE)), (bar, 0))
    return framed


def _screenshot(image: Image.Image, index: int) -> Image.Image:
    pen = ImageDraw.Draw(image)
    top = 0 if index % 2 else SIDE - 30
    ground, ink = (("white", "black"), ("#101418", "white"))[index // 2 % 2]
    pen.rectangle((0, top, SIDE, top + 29), fill=ground)
    pen.text((12, top + 8), f"{index % 24}:41   Home {index}", fill=ink, font_size=14)
    pen.text((170 + index % 80, top + 8), f"{index % 9} G  {index % 100}%", fill=ink, font_size=9 + index % 7)
    return image


def _marked(image: Image.Image, _: int) -> Image.Image:
    pen = ImageDraw.Draw(image)
    pen.rectangle((232, 282, 312, 312), fill="white")
    pen.text((236, 284), "stock\nphotos", fill="black", font_size=12)
    return image


LOOKS: tuple[tuple[str, Pixels], ...] = (
    ("", lambda image, _: image),
    ("blurred", _blurred),
    ("border", _framed),
    ("screenshot", _screenshot),
    ("jpeg_artefacts", lambda image, _: image.filter(ImageFilter.GaussianBlur(1))),
    ("too_small", lambda image, _: image.resize((128, 128))),
    ("", lambda image, _: image),
)
"""What is wrong with the pixels, one of these in turn."""


def _mixed(made: _Folder, index: int) -> None:
    """A picture with something wrong in its pixels, its file and its caption."""
    name = f"{'10_mia' if index % 3 else '1_more'}/mixed-{index:03}"
    code, changed = LOOKS[index % len(LOOKS)]
    image = changed(scene(700_000 + index, (SIDE, SIDE)), index)
    codes = {code} - {""}
    if code in ("", "jpeg_artefacts") and index < 3 * NUM_MARKED:
        image, codes = _marked(image, index), codes | {"watermark"}
    if code == "jpeg_artefacts":
        name, of_file = f"{name}.jpg", set[str]()
        image.save(made.path(name), quality=8)
    else:
        name, of_file = _saved(made, image, name, index)
    made.expect(name, *codes, *of_file)
    _captioned(made, name, index)


def _saved(made: _Folder, image: Image.Image, stem: str, index: int) -> tuple[str, set[str]]:
    """The file's name, and what is wrong with it as a file."""
    kind = index // len(LOOKS) % 9
    if kind == 0:
        name = f"{stem}.jpg"
        turned = image.transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[274] = 6
        turned.save(made.path(name), quality=95, exif=exif)
        return name, {"turned"}
    if kind == 1:
        image.convert("CMYK").save(made.path(f"{stem}.jpg"), quality=95)
        return f"{stem}.jpg", {"cmyk"}
    if kind == 2:
        grey = image.convert("L").convert("I").point(lambda value: value * 257)
        grey.convert("I;16").save(made.path(f"{stem}.png"))
        return f"{stem}.png", {"sixteen_bit"}
    if kind == 3:
        seen = Image.new("L", image.size, 255)
        middle = [side * share // 8 for share in (3, 5) for side in image.size]
        ImageDraw.Draw(seen).ellipse(middle, fill=0)
        image.putalpha(seen.filter(ImageFilter.GaussianBlur(6)))
        image.save(made.path(f"{stem}.png"))
        return f"{stem}.png", {"transparent"}
    if kind == 4:
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
        image.save(made.path(f"{stem}.png"), icc_profile=profile)
        return f"{stem}.png", {"colour_profile"}
    if kind == 5:
        file = io.BytesIO()
        image.save(file, "PNG")
        made.path(f"{stem}.jpg").write_bytes(file.getvalue())
        return f"{stem}.jpg", {"wrong_extension"}
    if kind == 6:
        image.save(made.path(f"{stem}.webp"), save_all=True, append_images=[ImageOps.flip(image)], quality=95)
        return f"{stem}.webp", {"animated"}
    image.save(made.path(f"{stem}.png"))
    return f"{stem}.png", set()


LONG = ", ".join(f"{pose} near the {place}" for pose in POSES[:5] for place in PLACES)


def _captioned(made: _Folder, name: str, index: int) -> None:
    """A caption that is not there, says nothing, is not UTF-8, or has up to four things wrong."""
    stands = index % 11
    if stands == 1:
        made.expect(name, "caption_missing")
    elif stands == 2:
        made.caption(name, " \n")
        made.expect(name, "caption_empty")
    elif stands == 3:
        encoding, more = (("shift_jis", "女の子, ひとり"), ("gbk", "一个女孩, 长发"), ("utf-16", "smile"))[index % 3]
        made.expect(made.caption(name, f"mia, {more}", encoding), "caption_encoding")
    else:
        _wrongly_captioned(made, name, index)


def _wrongly_captioned(made: _Folder, name: str, index: int) -> None:
    rng = Random(index)
    tags = clean_caption(index).split(", ")[1:]
    place = rng.choice(("first", "first", "late", "missing", "inside"))
    tags = {"first": ["mia", *tags], "late": [*tags, "mia"], "missing": tags, "inside": ["damian", *tags]}[place]
    if place != "first":
        code = {"late": "trigger_not_first", "missing": "trigger_missing", "inside": "trigger_inside_word"}[place]
        made.expect(name, code)
    wrong = rng.sample(tuple(IN_TAGS), rng.randrange(3))
    for code in wrong:
        tags = IN_TAGS[code](tags)
        made.expect(name, code)
    if "tag_style" not in wrong and made.typos:
        tags.append(made.typos.pop())
        made.expect(name, "tag_typo")
    text, stored = ", ".join(tags), rng.choice(("", "", "lines", "bom", "ending"))
    if stored == "lines":
        text = text.replace(", ", "\n", 1)
        made.expect(name, "caption_lines")
    extension = ".caption" if stored == "ending" else ".txt"
    caption = made.caption(name, text, "utf-8-sig" if stored == "bom" else "utf-8", extension)
    if stored in ("bom", "ending"):
        made.expect(caption, {"bom": "caption_bom", "ending": "caption_extension"}[stored])


IN_TAGS: Mapping[str, Callable[[list[str]], list[str]]] = {
    "tag_duplicate": lambda tags: [*tags, "1girl"],
    "tag_style": lambda tags: [*(tag for tag in tags if tag not in ("upper body", "full body")), "upper_body"],
    "tag_brackets": lambda tags: [*tags, r"hat \(red\)"],
    "caption_too_long": lambda tags: [*tags, LONG],
}


def _copied(made: _Folder, index: int) -> None:
    """A picture, and one or two that show the same."""
    first = f"10_mia/of-{index:02}-a.png"
    picture = scene(800_000 + index, (SIDE, SIDE))
    picture.save(made.path(first))
    made.caption(first, clean_caption(index))
    copies = {
        0: ("duplicate", lambda: picture),
        1: ("near_duplicates", lambda: picture.resize((480, 480), Image.Resampling.LANCZOS)),
        2: ("near_duplicates", lambda: ImageEnhance.Brightness(picture).enhance(0.85)),
        3: ("near_duplicates", lambda: picture.crop((20, 12, 300, 292)).resize((SIDE, SIDE))),
        4: ("mirrored", lambda: ImageOps.mirror(picture)),
    }
    code, copy = copies[index % 5]
    again = f"1_more/of-{index:02}-b.{'png' if code == 'duplicate' else 'jpg'}"
    copy().save(made.path(again), quality=88)
    made.expect(first, code)
    made.expect(again, code)
    _captioned(made, again, 500 + index)


def _broken(made: _Folder) -> None:
    """Files that are no pictures, or not whole, with and without captions; captions without pictures."""
    for index in range(60):
        kind = ("JPEG", "PNG", "WEBP")[index % 3]
        name = f"1_more/broken-{index:02}.{kind.lower().replace('jpeg', 'jpg')}"
        file = io.BytesIO()
        scene(900_000 + index, (SIDE, SIDE)).save(file, kind)
        content = file.getvalue()
        if index % 4 == 0:
            made.path(name).write_bytes((b"<!DOCTYPE html>", b"", b"GIF89a" + bytes(40))[index // 4 % 3])
            made.expect(name, "unreadable")
        else:
            made.path(name).write_bytes(content[: len(content) * 2 // 3])
            made.expect(name, "truncated")
            _captioned(made, name, 900 + index)
    for index in range(20):
        ghost = made.caption(f"10_mia/ghost-{index:02}.png", "mia, 1girl")
        made.expect(ghost, "caption_orphaned")
