"""A run's folder: its configuration, and the records of what was answered and planned."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from advisor.answers import Answers
from advisor.errors import ConfigErrors, RunError
from advisor.facts import Facts
from advisor.files import write_atomically
from advisor.plan import Plan
from advisor.planning.document import plan_document
from advisor.run_folder.config_file import CONFIG_NAME
from advisor.settings.config import changed, setting
from advisor.settings.parse_value import WrongValue, as_given, parse_settings
from templates.exporting.paths import absolute
from templates.native.loracle_toml import Pair, render_config
from templates.native.schema import schema_uri
from templates.render import render

PLAN_NAME = "plan.json"
"""The plan's record in a run folder."""

ANSWERS_NAME = "answers.toml"
"""The answers' record in a run folder."""

ANSWERS_HEAD = "What was answered; a record. Training reads loracle.toml only."

MOST_ANSWERS_BYTES = 1024 * 1024
"""No honest record of answers is larger."""

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
    _refuse_strangers(run, overwrite=overwrite)
    texts = {
        ANSWERS_NAME: render_answers(answers),
        PLAN_NAME: _json(document),
        CONFIG_NAME: render_config(plan, schema=schema_uri()),
    }
    for name, text in texts.items():
        write_atomically(run / name, text)


def placed_in(run: Path, plan: Plan) -> Plan:
    """The plan with its paths as a run folder has them: pictures and model absolute, others relative to the folder."""
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


def read_answers(run: Path) -> Answers:
    """The answers that a run folder keeps.

    Raises:
        RunError: there are none, or the file is damaged.
    """
    path = run / ANSWERS_NAME
    try:
        if path.stat().st_size > MOST_ANSWERS_BYTES:
            raise RunError(f"{path} is larger than any record of answers: is it the right file?")
        return _answers(tomllib.loads(path.read_bytes().decode("utf-8")))
    except FileNotFoundError:
        raise RunError(f"{run} keeps no answers ({ANSWERS_NAME}): start anew with `loracle new`") from None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise RunError(f"{path} is damaged ({error}): delete it, or start anew with `loracle new`") from None
    except (ConfigErrors, ValidationError) as error:
        told = "; ".join(_problems(error))
        raise RunError(f"{path} holds what is no answer ({told}): mend it, or start anew with `loracle new`") from None


def _answers(tree: dict[str, object]) -> Answers:
    """Settings may stand in it as they were typed."""
    settings = tree.get("settings")
    parsed = parse_settings(settings) if isinstance(settings, dict) else {}
    wrong = [error for value in parsed.values() if isinstance(value, WrongValue) for error in value.errors]
    if wrong:
        raise ConfigErrors(wrong)
    return Answers.model_validate(tree | {"settings": parsed} if parsed else tree)


def _problems(error: ConfigErrors | ValidationError) -> list[str]:
    if isinstance(error, ConfigErrors):
        return [str(one) for one in error.errors]
    return [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]


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


def has_trained(run: Path) -> bool:
    """Whether the folder holds LoRAs or a state to resume from."""
    return any(_holds_something(run / name) for name in ("model", "state"))


def _refuse_strangers(run: Path, *, overwrite: bool) -> None:
    if os.path.lexists(run) and not run.is_dir():
        raise RunError(f"{run} is a file: name a folder for the run")
    if has_trained(run) and not overwrite:
        raise RunError(
            f"{run} has trained already (it holds LoRAs or a state): choose another folder, "
            "or say that its plan is to be overwritten"
        )


def _holds_something(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise RunError(f"{folder} cannot be read: {error.strerror or error}: choose another folder") from None


def _rebased(path: Path, base: Path | None) -> str:
    found = str(absolute(path))
    if base is None:
        return found
    try:
        return Path(os.path.relpath(found, absolute(base))).as_posix()
    except ValueError:  # another drive on Windows
        return found


def _json(document: Mapping[str, object]) -> str:
    """Text beyond ASCII raw, but for the halves of characters that file names in an old encoding become."""
    text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half.group()):04x}", text)


def _pair(item: tuple[str, object]) -> Pair:
    return Pair(item[0], item[1])  # type: ignore[arg-type]
