"""A run's folder: its configuration, and the records of what was answered and planned."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from advisor.answers import Answers
from advisor.errors import RunError
from advisor.facts import Facts
from advisor.files import write_atomically
from advisor.plan import Plan
from advisor.planning.document import plan_document
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.plan_record import plan_text
from advisor.settings.config import changed, setting
from advisor.settings.parse_value import WrongValue, as_given
from templates.exporting.paths import absolute
from templates.native.loracle_toml import Pair, render_config
from templates.native.schema import schema_uri
from templates.render import render

ANSWERS_HEAD = "What was answered; a record. Training reads loracle.toml only."

ABSOLUTE_PATHS = ("model.path", "dataset.images")
"""Found from wherever the run folder is carried to."""

RUN_PATHS = ("model.vae_path", "dataset.regularization_images", "network.start_from")
"""Relative to the run folder, unless given as absolute."""


def write_run(run: Path, facts: Facts, plan: Plan, *, overwrite: bool = False) -> None:
    """Put `loracle.toml`, `plan.json` and `answers.toml` into the folder `run`, each whole or not at all.

    A relative path in the plan is taken from the current folder, as the user gave it. The configuration, which alone
    training reads, is written last.

    Args:
        overwrite: write even where the folder holds a training's LoRAs or state.

    Raises:
        RunError: the folder has trained, is no folder, or cannot be written to.
        LoraError: a value cannot be written.
    """
    placed = placed_in(run, plan)
    write_records(run, placed, facts.answers, plan_document(facts, placed), overwrite=overwrite)


def write_records(
    run: Path, plan: Plan, answers: Answers, document: Mapping[str, object], *, overwrite: bool = False
) -> None:
    """The same for a plan whose paths stay as they are, with a record of one's own.

    Raises:
        RunError: the folder has trained, is no folder, or cannot be written to.
        LoraError: a value cannot be written.
    """
    folder = RunFolder(run)
    _refuse_strangers(folder, overwrite=overwrite)
    texts = {
        folder.answers: render_answers(answers),
        folder.plan: plan_text(document),
        folder.config: render_config(plan, schema=schema_uri()),
    }
    for path, text in texts.items():
        write_atomically(path, text)


def placed_in(run: Path, plan: Plan) -> Plan:
    """The plan with its paths as a run folder has them: images and model absolute, others relative to the folder."""
    config = plan.config
    for path in (*ABSOLUTE_PATHS, *RUN_PATHS):
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


def _refuse_strangers(run: RunFolder, *, overwrite: bool) -> None:
    if os.path.lexists(run.path) and not run.path.is_dir():
        raise RunError(f"{run.path} is a file: name a folder for the run")
    if run.has_trained() and not overwrite:
        raise RunError(
            f"{run.path} has trained already (it holds LoRAs or a state): choose another folder, "
            "or say that its plan is to be overwritten"
        )


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
