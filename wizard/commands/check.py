"""`loracle check`: what a folder of images holds, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict

from advisor.dataset.captions import lines_of
from advisor.dataset.report import DatasetReport, ImageFile
from advisor.dataset.scan import scan
from advisor.units import counted
from wizard.interview.paths import given_path
from wizard.output import print_json, show
from wizard.show.findings import captions_text, sizes_text


def check(folder: str, *, as_json: bool = False) -> None:
    """Print what the folder holds; its files are only read.

    Raises:
        DatasetError: there is no such folder, or it holds no usable image.
    """
    report = scan(given_path(folder))
    if as_json:
        print_json(report_document(report))
    else:
        show(report_lines(report))


def report_document(report: DatasetReport) -> dict[str, object]:
    """The document of `check --json`."""
    sizes = Counter((image.width_px, image.height_px) for image in report.image_files)
    return {
        "root": report.root,
        "num_images": report.num_images,
        "num_captioned": report.num_captioned,
        "captions_are_tags": report.captions_are_tags,
        "caption_extension": report.caption_extension,
        "extensions": report.extensions,
        "folders": [asdict(folder) for folder in report.folders],
        "sizes": [{"width_px": w, "height_px": h, "num_images": n} for (w, h), n in sorted(sizes.items())],
        "without_caption": _paths(report, lambda image: image.caption is None),
        "empty_captions": _paths(report, lambda image: image.caption == ""),
        "several_lines": _paths(report, lambda image: len(lines_of(image.caption or "")) > 1),
        "transparent": _paths(report, lambda image: image.transparent),
        "animated": _paths(report, lambda image: image.animated),
        "problems": [asdict(problem) for problem in report.problems],
    }


def _noted(report: DatasetReport) -> Iterator[tuple[str, list[str]]]:
    """What is told of pictures that can be used, and of which."""
    if report.num_captioned:
        yield "without one", _paths(report, lambda image: image.caption is None)
    yield "empty", _paths(report, lambda image: image.caption == "")
    yield "of several lines", _paths(report, lambda image: len(lines_of(image.caption or "")) > 1)
    yield "transparent in places, trained as white", _paths(report, lambda image: image.transparent)
    yield "animated, trained by the first frame", _paths(report, lambda image: image.animated)


def _paths(report: DatasetReport, wanted: Callable[[ImageFile], bool]) -> list[str]:
    return [image.path for image in report.image_files if wanted(image)]


def report_lines(report: DatasetReport) -> str:
    """Counts, sizes, captions and folders, then each problem, a line each."""
    lines = [f"{report.root}: {counted(report.num_images, 'picture')}", f"sizes     {sizes_text(report)}"]
    lines.append(f"captions  {captions_text(report)}")
    lines += [f"  {title}: {', '.join(paths)}" for title, paths in _noted(report) if paths]
    for folder in report.folders:
        repeats = "" if folder.repeats is None else f", each {folder.repeats} times in an epoch"
        lines.append(f"folder    {folder.path}: {counted(folder.num_images, 'picture')}{repeats}")
    lines += ["", "Nothing to mend." if not report.problems else f"{counted(len(report.problems), 'thing')} to mend:"]
    lines += [f"  {problem.path}: {problem.message}" for problem in report.problems]
    return "\n".join(lines)
