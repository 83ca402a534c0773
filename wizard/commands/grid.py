"""`loracle grid`: pictures of a run's epochs, or of any LoRA, beside the base model's, measured and one chosen."""

from __future__ import annotations

import re
from contextlib import closing, suppress
from functools import partial
from itertools import count
from pathlib import Path

from advisor.choosing.picks_told import picks_sentence
from advisor.errors import ConfigError, LoraError, Mistakes, RunError
from advisor.files import is_file, is_folder, is_there
from advisor.machine.probe import probe_hardware
from advisor.run_folder.grids.grid_paths import PICKS_NAME, PICTURES, RECORD_NAME, SHEET_NAME, GridPaths
from advisor.run_folder.grids.grid_record import GridRecord, read_grid
from advisor.run_folder.grids.picks_file import PickLog, ranking_of, read_picks
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import writing
from advisor.run_folder.paths import LOCK_NAME, TRAINER_LOCK_NAME
from advisor.run_folder.place import RunPlace
from advisor.same_place import is_same
from advisor.tensor_files.digests import lora_digest
from advisor.units import counted
from wizard.interview.ask import TerminalAsk
from wizard.interview.drawing.grid_options import GridOptions, GridWish, read_options
from wizard.interview.drawing.grid_plan import LONG_SECONDS, GridPlan, plan_of_lora, plan_of_run
from wizard.interview.paths import absolute_path
from wizard.interview.questions import choice
from wizard.output import is_terminal, print_json, say, show
from wizard.processes.after_training import tried
from wizard.processes.grid_job import run_grid
from wizard.processes.trainer_job import planned_job
from wizard.show.grid_view import announcement, grid_document, picks_document, places, scores_table, takes
from wizard.show.notice import announced_end
from wizard.show.run_report import try_run_report
from wizard.show.screen import make_screen
from wizard.voting.sitting import sit

LORA_EXTENSION = ".safetensors"
OF_GRID = re.compile(r"[0-9a-f]{64}\.png|\..*\.part")
"""Pictures in a grid's folder, whole or being written."""
KEPT = re.compile(r"\.bak\d*$")
"""Ends the name of what was kept beside a file of a grid."""
WHAT = "loracle grid"


def grid(target: str, options: GridOptions, *, vote: bool = False, as_json: bool = False) -> None:
    """Draw, measure, print the table and where the pictures are.

    Args:
        target: a run, or a LoRA's file.
        vote: let the user pick blindly between the pictures; where there are some and no option asks for others,
            nothing is drawn before.

    Raises:
        LoraError: something is wrong with what was given; memory does not suffice; another process works on the run.
        KeyboardInterrupt: Ctrl-C while it draws; what was drawn is kept.
    """
    path, wish = absolute_path(target), read_options(options)
    if path.suffix.lower() == LORA_EXTENSION and not is_folder(path):
        folder = own_folder(path, Path.cwd()) if options.out is None else absolute_path(options.out)
        refuse_other_files(folder)
        refuse_picks_of_another(folder, path)
        paths, run = GridPaths.alone(folder), None
    else:
        _refuse_options_of_loras(options)
        run = RunFolder.given(path)
        folder, paths = run.path, run.grid
    is_drawn = is_file(paths.record) and (run is not None or not _is_of_another(folder, path))
    if not vote or not is_drawn or options != GridOptions(out=options.out, device=options.device):
        if run is None:
            _draw_lora(path, folder, options, wish, as_json=as_json)
        else:
            _draw_run(path, options, wish, as_json=as_json)
    if vote:
        with closing(RunPlace.of(paths.within)) as place:  # the page may stay open for hours
            sit(paths, read_grid(paths.record), path.stem if run is None else path.name, place.check)
            place.check()
    report = None
    if run is not None:
        report = tried("No report was written", partial(try_run_report, run))
    _tell(paths, read_grid(paths.record), report, as_json=as_json)


def refuse_picks_of_another(folder: Path, lora: Path) -> None:
    """Refuse to draw a LoRA where the user picked between pictures of another, whose picks would count no more.

    Raises:
        RunError: it is so.
    """
    if is_file(folder / PICKS_NAME) and _is_of_another(folder, lora):
        raise RunError(
            f"{folder} has pictures of another LoRA that you picked between: choose another folder (--out), or none"
        )


def own_folder(lora: Path, place: Path) -> Path:
    """NAME-grid at `place`, with a number where another LoRA of that name has its grid there."""
    names = (f"{lora.stem}-grid{f'-{number}' if number > 1 else ''}" for number in count(1))
    return next(place / name for name in names if not _is_kept(place / name, lora))


def _is_of_another(folder: Path, lora: Path) -> bool:
    """Whether a grid is of another LoRA, also of one that lay at the same place."""
    with suppress(LoraError):  # no grid, or a damaged one, or no LoRA, which is told later
        record = read_grid(folder / RECORD_NAME)
        if record.lora_digest:
            return record.lora_digest != lora_digest(lora)
        return not is_same(Path(record.lora), lora)
    return False


def _is_kept(folder: Path, lora: Path) -> bool:
    """Whether a grid is of another LoRA that is still there, or was picked in, which drawing it anew would undo."""
    with suppress(LoraError):
        other = Path(read_grid(folder / RECORD_NAME).lora)
        is_there_still = not is_same(other, lora) and is_file(other)
        return _is_of_another(folder, lora) and (is_there_still or is_file(folder / PICKS_NAME))
    return False


def _draw_lora(path: Path, folder: Path, options: GridOptions, wish: GridWish, *, as_json: bool) -> None:
    model = None if options.model is None else absolute_path(options.model)
    plan = plan_of_lora(path, model, folder, wish, probe_hardware(Path.cwd()), device=options.device)
    with writing(RunFolder(folder), WHAT, say) as place:  # after the plan: bad input leaves no folder
        _draw(plan, place, as_json=as_json)


def _draw_run(path: Path, options: GridOptions, wish: GridWish, *, as_json: bool) -> None:
    job, _ = planned_job(path, device=options.device)
    with writing(job.run, WHAT, say) as place:
        _draw(plan_of_run(job, wish, probe_hardware(job.run.path)), place, as_json=as_json)


def refuse_other_files(folder: Path) -> None:
    """Refuse a folder that holds anything but a grid.

    Raises:
        RunError: it does, or cannot be read.
    """
    known = {RECORD_NAME, SHEET_NAME, PICTURES, PICKS_NAME, LOCK_NAME, TRAINER_LOCK_NAME}
    try:
        others = sorted(path.name for path in folder.iterdir() if KEPT.sub("", path.name) not in known)
        pictures = sorted(path.name for path in (folder / PICTURES).iterdir()) if is_there(folder / PICTURES) else []
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunError(f"{folder} cannot be read: {error.strerror or error}: choose another folder (--out)") from None
    others += [f"{PICTURES}/{name}" for name in pictures if not OF_GRID.fullmatch(name)]  # e.g. those of a data set
    if others:
        raise RunError(f"{folder} holds {others[0]}, which is none of a grid's files: choose another folder (--out)")


def _refuse_options_of_loras(options: GridOptions) -> None:
    mistakes = Mistakes()
    for option, value in (("--model", options.model), ("--out", options.out)):
        if value is not None:
            mistakes.add(ConfigError(option, value, "it is for a single LoRA's file; a run has its own: leave it out"))
    mistakes.refuse()


def _draw(plan: GridPlan, place: RunPlace, *, as_json: bool) -> None:
    (say if as_json else show)(announcement(plan.request, plan.cost))
    if not as_json:
        _agree(plan)
    with announced_end("the grid"):
        run_grid(plan.request, make_screen(as_json=as_json), gpu_uuid=plan.gpu_uuid, place=place)


def _agree(plan: GridPlan) -> None:
    """Ask where it takes long.

    Raises:
        LoraError: the user does not want that.
    """
    if (plan.cost.seconds or 0.0) <= LONG_SECONDS or not is_terminal():
        return
    fewer = "No: I ask for fewer (--epochs, --seeds, --prompts)"
    question = choice("grid", f"Draw for {takes(plan.cost)}?", ("yes", "Yes"), ("no", fewer), back=False)
    if TerminalAsk()(question) != "yes":
        raise LoraError("Nothing was drawn.")


def _tell(paths: GridPaths, record: GridRecord, report: Path | None, *, as_json: bool) -> None:
    log = tried("What you picked is not told", lambda: read_picks(paths.picks)) or PickLog()
    ranking = ranking_of(log, record)
    if as_json:
        print_json({**grid_document(record, paths), "picks": picks_document(ranking, log.damaged_lines)})
        return
    if record.scores:
        show(scores_table(record))
    if record.choice is not None:
        show(record.choice.reason)
    if ranking is not None:
        show(picks_sentence(ranking, record.choice))
    if log.damaged_lines:
        say(f"{counted(log.damaged_lines, 'damaged line')} of {paths.picks} passed over.")
    if gone := len(log.lines) - len(log.among(record.cells)):
        say(f"{counted(gone, 'pick')} of pictures that this grid no longer has: kept in {paths.picks}, not counted.")
    show(places(record, paths))
    if report is not None:
        show(f"Report:     {report}")
