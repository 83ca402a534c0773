"""`loracle check`: the data-set doctor on a folder of pictures, or on a run's data set with its edits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from advisor.dataset.captions import lines_of
from advisor.dataset.doctor.examine import Waiver, examine
from advisor.dataset.doctor.finding import Finding
from advisor.dataset.doctor.folder_facts import FolderFacts
from advisor.dataset.report import DatasetReport, ImageFile
from advisor.errors import DatasetError, LoraError, RunError
from advisor.files import is_there
from advisor.run_folder.keep import kept_sentence
from advisor.run_folder.write_over import NewFile, write_over
from advisor.run_folder.written import WrittenFiles
from advisor.units import counted
from wizard.interview.paths import absolute_path
from wizard.interview.pictures.pictures_to_check import PicturesToCheck, pictures_to_check
from wizard.output import columns, print_json, say, show_plain
from wizard.processes.folder_look import LookedFor, folder_facts
from wizard.processes.measured_pictures import thumbnails
from wizard.processes.waiver_store import add_waivers, read_waivers
from wizard.show.check_view import findings_text
from wizard.show.counting import counting
from wizard.show.findings import captions_text, sizes_text


@dataclass(frozen=True)
class CheckOptions:
    """What the command line says."""

    trigger: str = ""
    """Empty: the run's, else the word that most captions begin with."""
    resolution_px: int | None = None
    """None: the run's, else `folder_look.RESOLUTION_PX`."""
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


def check(place: str, options: CheckOptions | None = None) -> None:
    """Print what a folder of pictures or a run's data set holds and what is wrong with it; its files are only read.

    Raises:
        DatasetError: there is no such folder, it holds no usable image, or `strict` and there are errors.
        LoraError: a waiver has no reason, or the run cannot be read.
    """
    options = options or CheckOptions()
    found = pictures_to_check(place, counting("pictures looked at"))
    report = found.report
    for told in found.edits:
        say(told)
    if options.waive:
        add_waivers(report.root, _waivers(options))
    facts = folder_facts(report, _looked_for(found, options), counting("pictures decoded"))
    findings = examine(facts, read_waivers(report.root))
    if options.html:
        write_page(facts, findings, options)
    if options.as_json:
        print_json(report_document(report, findings))
    else:
        show_plain(f"{report_lines(report)}\n\n{findings_text(findings, columns())}")
    errors = [one for one in findings if one.severity == "error" and not one.waived]
    if options.strict and errors:
        raise DatasetError(f"{report.root} has {counted(len(errors), 'error')}: mend or --waive them")


def _looked_for(found: PicturesToCheck, options: CheckOptions) -> LookedFor:
    named: dict[str, Any] = {"trigger": options.trigger, "resolution_px": options.resolution_px}
    if found.config is None:
        return LookedFor.of_folder(found.report.root, **named)
    return LookedFor.of_run(found.config, **named)


def write_page(facts: FolderFacts, findings: Sequence[Finding], options: CheckOptions) -> None:
    """Write the page of what was found.

    Raises:
        RunError: there is a file already, or it cannot be written.
    """
    from templates.native.check_page import check_page, shown_pictures, small_side_px

    path = absolute_path(options.html)
    if is_there(path) and not options.overwrite:
        raise RunError(f"{path} is there already: name another file, or give --overwrite")
    paths = shown_pictures(facts, findings)
    small = thumbnails(facts.report.root, paths, small_side_px(len(paths)), counting("small copies made"))
    page = NewFile(path, check_page(facts, findings, small).encode("utf-8"), "report")
    for kept in write_over([page], WrittenFiles(), overwrite=True):
        say(kept_sentence(kept))
    say(f"The page is {path}")


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
        "excluded": [{"path": one.image.path, "reason": one.reason} for one in report.excluded],
        "problems": [asdict(problem) for problem in report.problems],
        "findings": [asdict(finding) for finding in findings],
    }


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
