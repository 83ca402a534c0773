"""The page of `loracle check --html`: findings, a contact sheet by bucket with the crops drawn in, tags by frequency.

It holds all that it shows, and no script. Names and captions are strangers': they are escaped, and nothing is loaded.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from advisor.dataset.buckets import Placement, Size
from advisor.dataset.captions import plain_tag
from advisor.dataset.doctor.finding import Finding
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.placed import PlacedImage
from advisor.dataset.report import PictureCrop
from advisor.units import counted
from templates.render import render

TEMPLATE = "native/files/check.html.j2"
MOST_PICTURES = 600
"""Small copies on the page, flagged pictures first: some 6 MB."""
MOST_TAGS = 200
MOST_CAPTION = 2000
"""Characters of a caption."""


def shown_pictures(facts: FolderFacts, findings: Sequence[Finding]) -> list[str]:
    """The pictures that the page shows, in their order: all, or the flagged ones and as many of the others as fit."""
    flagged = {path for finding in findings for path in finding.files}
    paths = [image.path for image in facts.report.image_files]
    wanted = set(sorted(paths, key=lambda path: path not in flagged)[:MOST_PICTURES])
    return [path for path in paths if path in wanted]


def check_page(facts: FolderFacts, findings: Sequence[Finding], small: Mapping[str, str]) -> str:
    """The page as HTML.

    Args:
        small: small copies of the pictures that are shown, JPEG as base64, by path.
    """
    shown = shown_pictures(facts, findings)
    anchors = {path: f"picture-{index}" for index, path in enumerate(shown)}
    codes = defaultdict[str, list[str]](list)
    for finding in findings:
        for path in finding.files:
            if finding.code not in codes[path] and not finding.waived:
                codes[path].append(finding.code)
    by_bucket = defaultdict[Size, list[PlacedImage]](list)
    for one in facts.placed:
        by_bucket[one.placement.bucket].append(one)
    tags = Counter(tag for found in facts.tags.values() for tag in set(map(plain_tag, found)))
    side = facts.dataset.resolution_px
    missing = facts.report.num_images - len(shown)
    page = {
        "title": f"Data set {PurePath(facts.report.root).name}",
        "summary": f"{facts.report.root}: {counted(facts.report.num_images, 'picture')}, "
        f"{facts.report.num_captioned:,} with a caption, {counted(len(by_bucket), 'bucket')} at {side} px",
        "findings": [_finding(one, anchors) for one in findings],
        "about_crops": f"The frame is what is trained at {side} px; what is dark is cut off.",
        "buckets": [
            {
                "title": f"{width} x {height}: {counted(len(placed), 'picture')}",
                "pictures": [_picture(one, anchors, codes, small) for one in placed if one.image.path in anchors],
            }
            for (width, height), placed in sorted(by_bucket.items(), key=lambda one: (-len(one[1]), one[0]))
        ],
        "not_shown": f"{counted(missing, 'picture')} more, without findings, not shown." if missing else "",
        "tags": [
            {"text": tag, "number": number, "percent": round(100 * number / len(facts.tags), 1)}
            for tag, number in tags.most_common(MOST_TAGS)
        ],
        "about_tags": f"{counted(len(tags), 'tag')} in {counted(len(facts.tags), 'caption')}; the most frequent first.",
    }
    return render(TEMPLATE, page=page)


def _finding(finding: Finding, anchors: Mapping[str, str]) -> dict[str, object]:
    return {
        "severity": finding.severity,
        "code": finding.code,
        "message": finding.message,
        "hint": finding.hint,
        "waived": finding.waived,
        "counted": counted(len(finding.files), "file"),
        "files": [{"path": path, "anchor": anchors.get(path)} for path in finding.files],
    }


def _picture(
    one: PlacedImage, anchors: Mapping[str, str], codes: Mapping[str, list[str]], small: Mapping[str, str]
) -> dict[str, object]:
    image = one.image
    return {
        "path": image.path,
        "anchor": anchors[image.path],
        "size": f"{image.width_px} x {image.height_px}",
        "codes": ", ".join(codes.get(image.path, ())),
        "caption": None if image.caption is None else image.caption[:MOST_CAPTION],
        "jpeg": small.get(image.path, ""),
        "crop": crop_style(one.placement, image.crop),
    }


def crop_style(placement: Placement, crop: PictureCrop | None = None) -> str:
    """Where the centre crop lies in the picture, in CSS; empty where nothing is cut off.

    Args:
        crop: the user's, within which it is made.
    """
    across, down = (placement.bucket[axis] / placement.scaled[axis] for axis in (0, 1))
    left, top = (1 - across) / 2, (1 - down) / 2
    if crop is not None:
        (x, y, right, bottom), (width, height) = crop.box, crop.whole
        wide, tall = (right - x) / width, (bottom - y) / height
        left, top = x / width + left * wide, y / height + top * tall
        across, down = across * wide, down * tall
    if across == down == 1:
        return ""
    return f"left:{100 * left:.2f}%;top:{100 * top:.2f}%;width:{100 * across:.2f}%;height:{100 * down:.2f}%"
