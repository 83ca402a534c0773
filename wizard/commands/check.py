"""`loracle check`: the data-set doctor on a folder of pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from advisor.dataset.captions import lines_of
from advisor.dataset.doctor.caption_sources import caption_sources
from advisor.dataset.doctor.examine import Waiver, examine
from advisor.dataset.doctor.finding import Finding
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.folders import find_files
from advisor.dataset.report import DatasetReport, ImageFile
from advisor.errors import DatasetError, LoraError, RunError
from advisor.files import is_there
from advisor.run_folder.keep import kept_sentence
from advisor.run_folder.write_over import NewFile, write_over
from advisor.run_folder.written import WrittenFiles
from advisor.settings.config import DatasetConfig
from advisor.units import counted
from wizard.interview.paths import absolute_path
from wizard.interview.pictures_to_check import pictures_to_check
from wizard.output import print_json, say, show
from wizard.processes.measured_pictures import measured_pictures, thumbnails
from wizard.processes.waiver_store import add_waivers, read_waivers
from wizard.show.check_view import findings_text
from wizard.show.counting import counting
from wizard.show.findings import captions_text, sizes_text

KEPT = "Interrupted. What was measured is kept: the same command goes on there."
RESOLUTION_PX = 512
"""Where none is named: what SD1's models are trained at."""


@dataclass(frozen=True)
class CheckOptions:
    """What the command line says."""

    trigger: str = ""
    resolution_px: int | None = None
    """None: the run's, else `RESOLUTION_PX`."""
    waive: Sequence[str] = ()
    """`CODE` or `CODE:FILE`, each."""
    reason: str = ""
    strict: bool = False
    """End with an error where there are findings of that severity which are not waived."""
    html: str = ""
    """Where a page is written; empty: none is."""
    overwrite: bool = False
    """Replace a file that is there."""
    as_json: bool = False


def check(folder: str, options: CheckOptions | None = None) -> None:
    """Print what the folder holds and what is wrong with it; its files are only read.

    Of a run folder, its pictures are looked at as the user's edits make them, with its trigger word and resolution.

    Raises:
        DatasetError: there is no such folder, it holds no usable image, or `strict` and there are errors.
        LoraError: a waiver has no reason.
    """
    options = options or CheckOptions()
    found = pictures_to_check(folder, counting("pictures looked at"))
    report = found.report
    options = replace(
        options,
        trigger=options.trigger or found.trigger,
        resolution_px=options.resolution_px or found.resolution_px or RESOLUTION_PX,
    )
    if found.edits:
        say(found.edits)
    if options.waive:
        add_waivers(report.root, _waivers(options))
    facts = gathered(report, options)
    findings = examine(facts, read_waivers(report.root))
    if options.html:
        write_page(facts, findings, options)
    if options.as_json:
        print_json(report_document(report, findings))
    else:
        show(f"{report_lines(report)}\n\n{findings_text(findings)}")
    errors = [one for one in findings if one.severity == "error" and not one.waived]
    if options.strict and errors:
        raise DatasetError(f"{report.root} has {counted(len(errors), 'error')}: mend or --waive them")


def write_page(facts: FolderFacts, findings: Sequence[Finding], options: CheckOptions) -> None:
    """Write the page of what was found.

    Raises:
        RunError: there is a file already, or it cannot be written.
    """
    from templates.native.check_page import check_page, shown_pictures

    path = absolute_path(options.html)
    if is_there(path) and not options.overwrite:
        raise RunError(f"{path} is there already: name another file, or give --overwrite")
    small = thumbnails(facts.report.root, shown_pictures(facts, findings), counting("small copies made"))
    page = NewFile(path, check_page(facts, findings, small).encode("utf-8"), "report")
    for kept in write_over([page], WrittenFiles(), overwrite=True):
        say(kept_sentence(kept))
    say(f"The page is {path}")


def gathered(report: DatasetReport, options: CheckOptions) -> FolderFacts:
    """All that the checks need to know; the pictures are decoded where they were not before."""
    try:
        pixels = measured_pictures(report, counting("pictures decoded"))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(KEPT) from None
    return FolderFacts(
        report,
        pixels,
        options.trigger,
        DatasetConfig(images=report.root, resolution_px=options.resolution_px or RESOLUTION_PX),
        caption_sources(report, find_files(Path(report.root))),
    )


def _waivers(options: CheckOptions) -> tuple[Waiver, ...]:
    if not options.reason.strip():
        raise LoraError('--waive needs a reason, which is kept beside it: --reason "the frame belongs to the style"')
    return tuple(
        Waiver(code, file, options.reason.strip()) for code, _, file in (one.partition(":") for one in options.waive)
    )


def report_document(report: DatasetReport, findings: Sequence[Finding] = ()) -> dict[str, object]:
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
        "findings": [asdict(finding) for finding in findings],
    } | excluded_document(report)


def excluded_document(report: DatasetReport) -> dict[str, object]:
    """What `check --json` of a run adds where the user's edits leave pictures out."""
    left_out = [{"path": one.image.path, "reason": one.reason} for one in report.excluded]
    return {"excluded": left_out} if left_out else {}


def _paths(report: DatasetReport, wanted: Callable[[ImageFile], bool]) -> list[str]:
    return [image.path for image in report.image_files if wanted(image)]


def report_lines(report: DatasetReport) -> str:
    """Counts, sizes, captions and folders, a line each."""
    lines = [f"{report.root}: {counted(report.num_images, 'picture')}", f"sizes     {sizes_text(report)}"]
    lines.append(f"captions  {captions_text(report)}")
    for folder in report.folders:
        repeats = "" if folder.repeats is None else f", each {folder.repeats} times in an epoch"
        lines.append(f"folder    {folder.path}: {counted(folder.num_images, 'picture')}{repeats}")
    return "\n".join(lines)
