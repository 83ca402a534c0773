"""The page of `loracle check --html`: findings, a contact sheet by bucket with the crops drawn in, tags by frequency.

It holds all that it shows, and no script. Names and captions are strangers': they are escaped, and nothing is loaded.
Each small copy is in the page once, as the background of a class, and shown with its findings and in the sheet.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import ceil, gcd
from pathlib import PurePath

from advisor.dataset.buckets import Size, repeats_of_folders
from advisor.dataset.captions import plain_tag
from advisor.dataset.doctor.finding import SEVERITIES, Finding, Severity
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.doctor.tag_checks import fused_in, misspelt_tags
from advisor.dataset.placed import PlacedImage
from advisor.units import counted
from templates.render import render

TEMPLATE = "native/files/check.html.j2"
MOST_PICTURES = 2000
"""Small copies on the page, flagged pictures first."""
SIDES_PX = ((150, 256), (600, 176), (MOST_PICTURES, 104))
"""Up to so many pictures the longer side of their small copies: some 8 MB in all."""
MOST_IN_FINDING = 24
"""Small copies beside a finding."""
MOST_OF_CODE = 5
"""Findings of one code; the others are folded."""
MOST_TAGS = 200
MOST_CAPTION = 2000
"""Characters of a caption."""
BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


def shown_pictures(facts: FolderFacts, findings: Sequence[Finding]) -> list[str]:
    """The pictures that the page shows, in their order: all, or the flagged ones and as many of the others as fit."""
    flagged = {path for finding in findings for path in finding.files}
    paths = [image.path for image in facts.report.image_files]
    wanted = set(sorted(paths, key=lambda path: path not in flagged)[:MOST_PICTURES])
    return [path for path in paths if path in wanted]


def small_side_px(number: int) -> int:
    """The longer side of each small copy where there are so many."""
    return next((side for most, side in SIDES_PX if number <= most), SIDES_PX[-1][1])


def check_page(facts: FolderFacts, findings: Sequence[Finding], small: Mapping[str, str]) -> str:
    """The page as HTML.

    Args:
        small: small copies of the pictures that are shown, JPEG as base64, by path.
    """
    return render(TEMPLATE, page=_Page(facts, findings, small).tree())


class _Page:
    """What the template shows, in the making."""

    def __init__(self, facts: FolderFacts, findings: Sequence[Finding], small: Mapping[str, str]) -> None:
        self._facts, self._findings = facts, findings
        self._small = {path: jpeg for path, jpeg in small.items() if BASE64.fullmatch(jpeg)}
        self._places = {path: place for place, path in enumerate(shown_pictures(facts, findings))}
        self._codes = defaultdict[str, dict[str, str]](dict)
        for finding in findings:
            for path in finding.files:
                if not finding.waived:
                    self._codes[path].setdefault(finding.code, finding.severity)

    def tree(self) -> dict[str, object]:
        """The template's values."""
        report, side = self._facts.report, self._facts.dataset.resolution_px
        missing = report.num_images - len(self._places)
        told = [finding for finding in self._findings if not finding.waived]
        buckets = list(self._buckets())
        return {
            "title": f"Data set {PurePath(report.root).name}",
            "root": report.root,
            "figures": [
                {"number": f"{report.num_images:,}", "what": "pictures", "kind": ""},
                {"number": f"{report.num_captioned:,}", "what": "with a caption", "kind": ""},
                {"number": len(buckets), "what": f"buckets at {side} px", "kind": ""},
                *(
                    {"number": number, "what": f"{severity}{'' if number == 1 else 's'}", "kind": severity}
                    for severity in SEVERITIES
                    if (number := sum(1 for finding in told if finding.severity == severity))
                ),
            ],
            "small": [
                {"place": place, "jpeg": self._small[path]}
                for path, place in self._places.items()
                if path in self._small
            ],
            "findings": list(self._grouped()),
            "side": side,
            "buckets": buckets,
            "num_flagged": sum(1 for path in self._places if self._codes.get(path)),
            "not_shown": f"{counted(missing, 'picture')} more, without findings, not shown." if missing > 0 else "",
            "left_out": [{"path": one.image.path, "reason": one.reason} for one in report.excluded],
            **self._tags(),
        }

    def _grouped(self) -> Iterator[dict[str, object]]:
        """The findings, those of one code together; waived ones last."""
        alike = defaultdict[tuple[bool, Severity, str], list[Finding]](list)
        for finding in self._findings:
            alike[finding.waived, finding.severity, finding.code].append(finding)
        for (waived, severity, code), found in sorted(alike.items(), key=lambda one: one[0][0]):
            entries = [self._finding(one) for one in found]
            hints = {one.hint for one in found}
            yield {
                "severity": severity,
                "code": code,
                "waived": waived,
                "hint": found[0].hint if len(hints) == 1 else "",
                "number": len(entries),
                "entries": entries[:MOST_OF_CODE],
                "more": entries[MOST_OF_CODE:],
            }

    def _finding(self, finding: Finding) -> dict[str, object]:
        shown = [path for path in finding.files if path in self._places]
        return {
            "message": finding.message,
            "hint": finding.hint,
            "counted": counted(len(finding.files), "file"),
            "small": [{"place": self._places[path], "path": path} for path in shown if path in self._small][
                :MOST_IN_FINDING
            ],
            "files": [{"path": path, "place": self._places.get(path)} for path in finding.files],
        }

    def _buckets(self) -> Iterator[dict[str, object]]:
        by_bucket = defaultdict[Size, list[PlacedImage]](list)
        for one in self._facts.placed:
            by_bucket[one.placement.bucket].append(one)
        repeats = repeats_of_folders(self._facts.report.folders, self._facts.dataset)
        most, batch = max(map(len, by_bucket.values()), default=1), self._facts.batch_size
        for place, (size, placed) in enumerate(sorted(by_bucket.items(), key=lambda one: (-len(one[1]), one[0]))):
            shown = sum(repeats[one.image.folder] for one in placed)
            width, height = size
            yield {
                "place": place,
                "title": f"{width} × {height}",
                "ratio": f"{width // gcd(width, height)}:{height // gcd(width, height)}",
                "width": width,
                "height": height,
                "counted": counted(len(placed), "picture"),
                "number": len(placed),
                "percent": round(100 * len(placed) / most, 1),
                "batches": f"{counted(ceil(shown / batch), 'step')} an epoch of up to {batch}" if batch > 1 else "",
                "is_small": shown < batch,
                "pictures": [self._picture(one) for one in placed if one.image.path in self._places],
            }

    def _picture(self, one: PlacedImage) -> dict[str, object]:
        image = one.image
        width, height = (image.width_px, image.height_px) if image.crop is None else image.crop.whole
        codes = self._codes.get(image.path, {})
        return {
            "path": image.path,
            "name": PurePath(image.path).name,
            "place": self._places[image.path],
            "width": width,
            "height": height,
            "has_small": image.path in self._small,
            "size": f"{width} × {height}",
            "codes": [{"text": code.replace("_", " "), "severity": severity} for code, severity in codes.items()],
            "worst": next((severity for severity in SEVERITIES if severity in codes.values()), ""),
            "caption": None if image.caption is None else image.caption[:MOST_CAPTION],
            "crop": crop_style(one),
        }

    def _tags(self) -> dict[str, object]:
        tags = self._facts.tags
        numbers = Counter(tag for found in tags.values() for tag in set(map(plain_tag, found)))
        fused, typos = fused_in(self._facts), {one.tag: one.meant for one in misspelt_tags(self._facts)}
        trigger = plain_tag(self._facts.known_trigger)
        notes = {trigger: "the trigger"} if trigger else {}
        notes |= dict.fromkeys(fused, "in nearly all") | {tag: f"{meant}?" for tag, meant in typos.items()}
        chosen = dict(numbers.most_common(MOST_TAGS)) | {tag: numbers[tag] for tag in typos}
        return {
            "tags": [
                {
                    "text": tag,
                    "number": number,
                    "percent": round(100 * number / len(tags), 1),
                    "note": notes.get(tag, ""),
                    "kind": "typo" if tag in typos else "fused" if tag in fused else "",
                }
                for tag, number in chosen.items()
            ],
            "about_tags": f"{counted(len(numbers), 'tag')} in {counted(len(tags), 'caption')}, most frequent first.",
        }


def crop_style(one: PlacedImage) -> str:
    """Where the part that is trained lies in the whole picture, in CSS; empty where that is all of it."""
    image, placement = one.image, one.placement
    across, down = (placement.bucket[axis] / placement.scaled[axis] for axis in (0, 1))
    left, top, width, height = (1 - across) / 2, (1 - down) / 2, across, down
    if image.crop is not None:
        (x, y, right, bottom), (whole_width, whole_height) = image.crop.box, image.crop.whole
        left, width = (x + left * (right - x)) / whole_width, width * (right - x) / whole_width
        top, height = (y + top * (bottom - y)) / whole_height, height * (bottom - y) / whole_height
    if width == height == 1:
        return ""
    return f"left:{100 * left:.2f}%;top:{100 * top:.2f}%;width:{100 * width:.2f}%;height:{100 * height:.2f}%"
