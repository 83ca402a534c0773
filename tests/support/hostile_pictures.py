"""A folder in which everything that the data-set doctor knows is wrong, several things at once; and clean ones."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from random import Random

from PIL import Image, ImageCms, ImageDraw, ImageFilter, ImageOps

from tests.support.pictures import scene

SIZE = (512, 512)
POSES = ("standing", "sitting", "walking", "running", "kneeling", "jumping", "lying", "waving")
PLACES = ("beach", "forest", "street", "kitchen", "library", "rooftop", "garden", "station")
FRAMES = ("portrait", "upper body", "full body", "cowboy shot")


def clean_folder(folder: Path, number: int = 16, *, seed: int = 0, extension: str = ".png") -> Path:
    """Pictures and captions in which nothing is to mend."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(number):
        path = folder / f"clean-{index:03}{extension}"
        scene(1000 * seed + index, SIZE).save(path, quality=92)  # of which PNG takes no notice
        path.with_suffix(".txt").write_text(clean_caption(index), encoding="utf-8")
    return folder


def clean_caption(index: int) -> str:
    """Tags that differ from picture to picture."""
    rng = Random(index)
    tags = (POSES[index % len(POSES)], PLACES[index * 3 % len(PLACES)], FRAMES[index % len(FRAMES)])
    return f"mia, 1girl, {', '.join(rng.sample(tags, len(tags)))}"


def hostile_folder(root: Path, *, clean: int = 16) -> Mapping[str, set[str]]:
    """Make the folder.

    Args:
        clean: pictures beside the others in which nothing is wrong.

    Returns:
        by the code of each finding the files that it must name.
    """
    good, bad = clean_folder(root / "10_mia", clean), root / "1_more"
    bad.mkdir()
    _files(bad)
    _sizes(bad)
    _copies(bad, good)
    _pixels(bad)
    _captions(bad)
    for path in sorted(bad.glob("*")):
        if path.suffix != ".txt" and path.name not in UNCAPTIONED and not path.with_suffix(".txt").exists():
            path.with_suffix(".txt").write_text(clean_caption(hash_of(path.name)), encoding="utf-8")
    named = {code: {f"1_more/{name}" for name in names} for code, names in EXPECTED.items()}
    named["near_duplicates"].add("10_mia/clean-000.png")
    named["mirrored"].add("10_mia/clean-001.png")
    return named


UNCAPTIONED = ("bare.png", "old.gif")

EXPECTED: dict[str, tuple[str, ...]] = {
    "unreadable": ("page.png", "nothing.png", "scrambled.png"),
    "truncated": ("half.jpg", "cut.png", "short.webp"),
    "wrong_extension": ("really-a-png.jpg",),
    "unsupported_format": ("old.gif",),
    "animated": ("moving.webp",),
    "transparent": ("cut-out.png",),
    "turned": ("lying.jpg",),
    "sixteen_bit": ("deep.png",),
    "cmyk": ("printed.jpg",),
    "colour_profile": ("profiled.png",),
    "too_small": ("small.png", "icon.png"),
    "extreme_ratio": ("strip.png",),
    "cropped": ("between.png",),
    "subject_cut": ("headless.png",),
    "duplicate": ("twin-a.png", "twin-b.png"),
    "near_duplicates": ("again.jpg", "closer.jpg"),
    "mirrored": ("mirrored.png",),
    "blurred": ("soft.png",),
    "jpeg_artefacts": ("blocky.jpg",),
    "border": ("film.png",),
    "screenshot": ("phone.png",),
    "watermark": tuple(f"marked-{index}.jpg" for index in range(14)),
    "caption_missing": ("bare.png",),
    "caption_empty": ("void.png",),
    "caption_orphaned": ("ghost.txt",),
    "caption_lines": ("lines.png",),
    "caption_encoding": ("japanese.txt",),
    "caption_bom": ("noted.txt",),
    "caption_too_long": ("wordy.png",),
    "tag_duplicate": ("doubled.png",),
    "tag_typo": ("typing.png",),
    "tag_style": ("underscored.png",),
    "tag_brackets": ("bracketed.png",),
    "trigger_missing": ("unnamed.png",),
    "trigger_not_first": ("late.png",),
    "trigger_inside_word": ("damian.png",),
}


def hash_of(name: str) -> int:
    """A small number that a name alone decides."""
    return sum(map(ord, name))


def _seen(name: str) -> Image.Image:
    return scene(50_000 + hash_of(name), SIZE)


def _content(image: Image.Image, kind: str, **how: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def _files(bad: Path) -> None:
    (bad / "page.png").write_bytes(b"<!DOCTYPE html><html>404</html>")
    (bad / "nothing.png").write_bytes(b"")
    content = bytearray(_content(_seen("scrambled"), "PNG"))
    content[len(content) // 3 : len(content) // 3 + 200] = bytes(200)
    (bad / "scrambled.png").write_bytes(content)
    for name, kind in (("half.jpg", "JPEG"), ("cut.png", "PNG"), ("short.webp", "WEBP")):
        content = bytearray(_content(_seen(name), kind))
        (bad / name).write_bytes(content[: len(content) * 2 // 3])
    (bad / "really-a-png.jpg").write_bytes(_content(_seen("really"), "PNG"))
    _seen("old").save(bad / "old.gif")
    _seen("moving").save(bad / "moving.webp", save_all=True, append_images=[_seen("moving on")], duration=90)
    cut_out = _seen("cut out").convert("RGBA")
    cut_out.putalpha(Image.linear_gradient("L").resize(SIZE))
    cut_out.save(bad / "cut-out.png")
    grey = _seen("deep").convert("L").convert("I").point(lambda value: value * 257)
    grey.convert("I;16").save(bad / "deep.png")
    exif = Image.Exif()
    exif[274] = 8
    _seen("lying").transpose(Image.Transpose.ROTATE_270).save(bad / "lying.jpg", quality=92, exif=exif)
    _seen("printed").convert("CMYK").save(bad / "printed.jpg", quality=92)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    _seen("profiled").save(bad / "profiled.png", icc_profile=profile)


def _sizes(bad: Path) -> None:
    scene(60_001, (200, 200)).save(bad / "small.png")
    scene(60_002, (20, 20)).save(bad / "icon.png")
    scene(60_003, (1900, 500)).save(bad / "strip.png")
    scene(60_004, (500, 380)).save(bad / "between.png")
    headless = Image.new("RGB", (448, 574), "#c8d0d8")
    headless.paste(scene(60_008, (200, 280)), (120, 0))
    headless.save(bad / "headless.png")


def _copies(bad: Path, good: Path) -> None:
    for name in ("twin-a.png", "twin-b.png"):
        _seen("twin").save(bad / name)
    with Image.open(good / "clean-000.png") as image:
        image.resize((640, 640)).save(bad / "again.jpg", quality=70)
        image.crop((30, 20, 490, 480)).resize(SIZE).save(bad / "closer.jpg", quality=85)
    with Image.open(good / "clean-001.png") as image:
        ImageOps.mirror(image).save(bad / "mirrored.png")


def _pixels(bad: Path) -> None:
    _seen("soft").filter(ImageFilter.GaussianBlur(4)).save(bad / "soft.png")
    _seen("blocky").filter(ImageFilter.GaussianBlur(1)).save(bad / "blocky.jpg", quality=8)
    film = Image.new("RGB", SIZE)
    film.paste(scene(61_001, (512, 400)), (0, 56))
    film.save(bad / "film.png")
    phone = _seen("phone")
    pen = ImageDraw.Draw(phone)
    pen.rectangle((0, 0, 512, 44), fill="white")
    pen.text((16, 12), "9:41   Gallery   5G   80%", fill="black", font_size=20)
    phone.save(bad / "phone.png")
    for index in range(14):
        picture = _seen(f"marked {index * 17}")
        pen = ImageDraw.Draw(picture)
        pen.rectangle((372, 452, 500, 500), fill="white")
        pen.text((378, 456), "stock\nphotos", fill="black", font_size=19)
        picture.save(bad / f"marked-{index}.jpg", quality=92)


def _captions(bad: Path) -> None:
    for name, caption in {
        "void": "",
        "lines": "mia, 1girl, standing\nbeach, portrait",
        "wordy": "mia, 1girl, " + ", ".join(f"{pose} near the {place}" for pose in POSES[:5] for place in PLACES),
        "doubled": "mia, 1girl, standing, beach, standing",
        "typing": "mia, 1girl, standng, beach",
        "underscored": "mia, 1girl, upper_body, garden",
        "bracketed": r"mia, 1girl, standing, mia \(series\)",
        "unnamed": "1girl, walking, street",
        "late": "1girl, walking, mia, street",
        "damian": "damian, 1girl, walking, street",
    }.items():
        _seen(name).save(bad / f"{name}.png")
        (bad / f"{name}.txt").write_text(caption, encoding="utf-8")
    _seen("bare").save(bad / "bare.png")
    _seen("japanese").save(bad / "japanese.png")
    (bad / "japanese.txt").write_bytes("mia, 女の子, ひとり".encode("shift_jis"))
    _seen("noted").save(bad / "noted.png")
    (bad / "noted.txt").write_text("mia, 1girl, standing, garden", encoding="utf-8-sig")
    (bad / "ghost.txt").write_text("mia, 1girl, standing", encoding="utf-8")
