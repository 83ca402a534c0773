"""A run's folder: its configuration, and the records of what was answered and planned."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from advisor.answers import Answers
from advisor.errors import LoraError, RunError
from advisor.facts import Facts
from advisor.files import is_folder, is_there
from advisor.plan import Plan
from advisor.planning.document import plan_document
from advisor.run_folder.keep import keep_beside
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.lock import writing
from advisor.run_folder.pictures.own_folders import refuse_own_folders
from advisor.run_folder.plan_record import PlanRecord, plan_text, was_written
from advisor.run_folder.write_over import NewFile, Occupied, UsersFiles, put, users_files
from advisor.run_folder.written import WrittenFiles
from advisor.settings.config import ABSOLUTE_PATHS, PATH_SETTINGS, changed, parse_config, setting
from advisor.settings.parse_value import WrongValue, as_given
from templates.exporting.paths import absolute
from templates.native.loracle_toml import Pair, render_config
from templates.native.occupied import OVERWRITE, other_plan, refuse_strangers
from templates.native.planned_pictures import write_pictures
from templates.native.recorded_plan import config_of_run
from templates.native.schema import schema_uri
from templates.render import render

ANSWERS_HEAD = "What was answered; a record. Training reads loracle.toml only."


def write_run(
    run: Path, facts: Facts, plan: Plan, *, overwrite: bool = False, edits_from: RunFolder | None = None
) -> tuple[Path, ...]:
    """Put `loracle.toml`, `plan.json` and `answers.toml` into the folder `run`, each whole or not at all, and the list
    of the pictures as they are now. Edits of pictures that lie there stay.

    A relative path in the plan is taken from the current folder, as the user gave it. The configuration, which alone
    training reads, is written last.

    Args:
        overwrite: replace what the user changed or made, after keeping each such file beside it.
        edits_from: the run whose edits the facts were read through; they are copied where there are none.

    Returns:
        Where the user's files are kept.

    Raises:
        Occupied: files in the way are the user's, or the folder is; nothing was written.
        RunError: the folder has trained, holds the images, is no folder, cannot be written to, or another process works
            on it.
        LoraError: a value cannot be written.
    """
    placed = placed_in(run, plan)
    more = partial(write_pictures, facts.dataset, placed.config, edits_from=edits_from)
    return write_records(run, placed, facts.answers, plan_document(facts, placed), overwrite=overwrite, more=more)


def write_records(
    run: Path,
    plan: Plan,
    answers: Answers,
    document: Mapping[str, object],
    *,
    overwrite: bool = False,
    more: Callable[[RunFolder], None] = lambda _: None,
) -> tuple[Path, ...]:
    """The same for a plan whose paths stay as they are, with a record of one's own.

    Args:
        more: writes what else belongs to it, while the run is locked.

    Raises:
        Occupied: files in the way are the user's, or the folder is; nothing was written.
        RunError: the folder has trained, holds the images, is no folder, cannot be written to, or another process works
            on it.
        LoraError: a value cannot be written.
    """
    folder = RunFolder(run)
    _looked_at(folder, plan, answers, document, overwrite=overwrite)  # without making the folder, which locking does
    with writing(folder, "saving a plan", lambda _: None):
        # Once more: another command may have saved a plan or trained while this one waited for the lock.
        files, in_the_way = _looked_at(folder, plan, answers, document, overwrite=overwrite)
        kept = tuple(keep_beside(file.path) for file in files if file.path in in_the_way)
        more(folder)
        put(files, WrittenFiles(run))
    return kept


def _looked_at(
    folder: RunFolder, plan: Plan, answers: Answers, document: Mapping[str, object], *, overwrite: bool
) -> tuple[tuple[NewFile, ...], frozenset[Path]]:
    """The files to write, the configuration last, and what of the user's they replace.

    Raises:
        Occupied: there is something of the user's, and it is not to be overwritten.
        RunError: as `write_records`.
    """
    _refuse_trained(folder)
    before = folder.known_plan()
    files = (
        NewFile(folder.answers, render_answers(answers).encode("utf-8"), "run", partial(_were_answers, folder, before)),
        NewFile(folder.plan, plan_text(document).encode("utf-8"), "run", was_written),
        config_of_run(folder, render_config(plan, schema=schema_uri()), before),
    )
    found = users_files(files, WrittenFiles(folder.path))
    other = other_plan(folder, before, plan.config)
    refuse_own_folders(folder, plan.config)
    refuse_strangers(folder, overwrite=overwrite)
    if found and not overwrite:
        raise UsersFiles(found)
    if other and not overwrite:
        raise Occupied(other, f"{OVERWRITE}, which first keeps its files beside as NAME.bak")
    return files, frozenset(file.path for file in files if file.path in found or (other and is_there(file.path)))


def placed_in(run: Path, plan: Plan) -> Plan:
    """The plan with its paths as a run folder has them: images and model absolute, others relative to the folder."""
    config = plan.config
    for path in PATH_SETTINGS:
        given = setting(config, path)
        if given and not Path(given).is_absolute():
            base = None if path in ABSOLUTE_PATHS else run
            config = changed(config, path, _rebased(Path(given), base))
    if config == plan.config:
        return plan
    decisions = tuple(replace(d, value=setting(config, d.path)) for d in plan.decisions)
    return replace(plan, config=config, decisions=decisions)


def render_answers(answers: Answers) -> str:
    """The text of `answers.toml`."""
    tree = answers.model_dump(exclude={"settings"})
    settings = {path: value for path, value in answers.settings.items() if not isinstance(value, WrongValue)}
    return render(
        "native/files/answers.toml.j2", head=ANSWERS_HEAD, rows=[_pair(item) for item in tree.items()],
        chosen=[_pair((path, as_given(value))) for path, value in settings.items()],
    )  # fmt: skip


def next_free_run(name: str, parent: Path) -> Path:
    """`parent`/`name`, or the first of `name`-2, `name`-3 ... where nothing is yet."""
    stem = name.rstrip(" .") or "lora"
    path, number = parent / stem, 1
    while os.path.lexists(path):
        number += 1
        path = parent / f"{stem}-{number}"
    return path


def _refuse_trained(run: RunFolder) -> None:
    if os.path.lexists(run.path) and not is_folder(run.path):
        raise RunError(f"{run.path} is a file: name a folder for the run")
    if run.has_trained():
        raise RunError(f"{run.path} has trained already (it holds LoRAs or a state): choose another folder")


def _were_answers(run: RunFolder, plan: PlanRecord | None, content: bytes) -> bool:
    """Whether Loracle wrote these bytes as the answers of that plan; for runs without digests."""
    if plan is None:
        return False
    try:
        answers = run.read_answers()
        config = parse_config(plan.document["config"])
        said = {**_plain_settings(answers), "saving.name": answers.name}
        told = all(setting(config, path) == value for path, value in said.items())
        is_called = config.run.trigger in (answers.trigger, answers.trigger_word)
        return told and is_called and render_answers(answers).encode("utf-8") == content
    except (LoraError, KeyError, TypeError, ValueError):
        return False


def _plain_settings(answers: Answers) -> dict[str, object]:
    return {path: value for path, value in answers.settings.items() if isinstance(value, bool | int | float | str)}


def _rebased(path: Path, base: Path | None) -> str:
    found = str(absolute(path))
    if base is None:
        return found
    try:
        return Path(os.path.relpath(found, absolute(base))).as_posix()
    except ValueError:  # another drive on Windows
        return found


def _pair(item: tuple[str, object]) -> Pair:
    return Pair(item[0], item[1])  # type: ignore[arg-type]
