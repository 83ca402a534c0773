"""Weights & Biases, fed from the same events as everything else. Whatever goes wrong there costs a warning at most.

The package is an extra, and the key is wandb's own affair (`wandb login`, WANDB_API_KEY): it is never read or written
here. WANDB_MODE=offline, and all else that wandb takes from its surroundings, works as everywhere.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

from advisor.files import read_bounded
from advisor.json_text import parse_json
from advisor.run_folder.events import AnyEvent, Finished, SampleDrawn, Started
from advisor.run_folder.keep import write_own
from advisor.run_folder.layout import RunFolder
from advisor.settings.config import PATH_SETTINGS, NamedFolder, TrainingConfig, flat_settings
from advisor.settings.shared_names import last_name, shared_folder
from trainer.reporting.curves import Curves, sample_title

INIT_SECONDS = 15
"""So long is waited for the first answer over the network."""
FINISH_SECONDS = 60
"""So long is waited at the end for what is not sent yet; it is on the disk, and `wandb sync` sends it later."""
KEPT_HERE = ("machine.gpu_uuid",)
"""Settings that are not sent."""
SURROUNDINGS = {"WANDB_SILENT": "true", "WANDB__DISABLE_META": "true", "WANDB_PROGRAM": "loracle"}
"""wandb itself would send the command line with the run's folder, and the paths of Python and of this program. These
are no settings of `wandb.init`, because a version that does not know one of them refuses the whole there."""

NO_FILE_NAME = re.compile(r'[<>:"\\|?*\x00-\x1f]')
"""wandb makes file names of images' names, and Windows takes none of these."""

Warn = Callable[[str, str], None]
"""Takes a code and a message."""


class WeightsAndBiases:
    """A listener that sends curves and samples to `run.wandb_project`, from the event `started` on."""

    def __init__(self, run: Path, config: TrainingConfig, warn: Warn, finish_seconds: float = FINISH_SECONDS) -> None:
        """Store the inputs; the event `started` opens the connection."""
        self._run, self._config, self._warn, self._finish_seconds = RunFolder(run), config, warn, finish_seconds
        self._curves = Curves()
        self._wandb: Any = None
        self._sink: Any = None
        self._exit_code = 1

    def __call__(self, event: AnyEvent) -> None:
        """Take one event."""
        if isinstance(event, Started):
            self._start(resumed=event.resumed_from is not None)
        if self._sink is None:
            return
        values: dict[str, Any] = dict(self._curves.of(event))
        if isinstance(event, SampleDrawn):
            image = self._wandb.Image(str(self._run.path / event.path), caption=event.prompt)
            values[NO_FILE_NAME.sub(" ", sample_title(event))] = image
        elif isinstance(event, Finished):
            self._exit_code = 0
        if values:
            self._sink.log({"step": self._curves.step, **values})

    def close(self) -> None:
        """Send what is still waiting, but do not wait for ever."""
        if self._sink is None:
            return
        errors = list[Exception]()
        ending = Thread(target=self._finish, args=(errors,), daemon=True)
        ending.start()
        ending.join(self._finish_seconds)
        if errors or ending.is_alive():
            why = str(errors[0]) if errors else f"not all was sent within {self._finish_seconds:g} seconds"
            self._warn("wandb_unfinished", f"Weights & Biases: {why}; {self._how_to_send()}")

    def _finish(self, errors: list[Exception]) -> None:
        try:
            self._sink.finish(exit_code=self._exit_code)
        except Exception as error:
            errors.append(error)

    def _start(self, *, resumed: bool) -> None:
        for name, value in SURROUNDINGS.items():
            os.environ.setdefault(name, value)
        try:
            self._wandb = import_module("wandb")
            number = _run_id(self._run, resumed=resumed)
        except ImportError as error:
            mend = "`pip install -U wandb` adds the package or renews it; TensorBoard's file is written as ever"
            self._warn("no_wandb", f"Nothing is sent to Weights & Biases ({error}): {mend}")
            return
        except Exception as error:
            self._warn("no_wandb", f"Nothing is sent to Weights & Biases: {error}")
            return
        try:
            self._sink = self._begun(number, {})
        except Exception as error:
            self._start_offline(number, error)

    def _start_offline(self, number: str, reason: Exception) -> None:
        """Without key or network the curves are kept here, to be sent later."""
        first_line = (str(reason).splitlines() or [type(reason).__name__])[0]
        try:
            self._wandb.teardown()  # else the name counts as taken
            self._sink = self._begun(number, {"mode": "offline"})
        except Exception as error:
            self._warn("no_wandb", f"Nothing is sent to Weights & Biases: {error}")
            return
        self._warn("wandb_offline", f"Weights & Biases cannot be reached ({first_line}); {self._how_to_send()}")

    def _begun(self, number: str, more: Mapping[str, str]) -> Any:
        log = self._run.log
        log.mkdir(parents=True, exist_ok=True)
        quiet = {"console": "off", "silent": True, "disable_git": True, "save_code": False}
        with _without_terminal():
            sink = self._wandb.init(
                project=self._config.run.wandb_project,
                name=self._config.saving.name,
                id=number,
                resume="allow",
                dir=str(log),
                config=sent_settings(self._config),
                settings=self._wandb.Settings(init_timeout=INIT_SECONDS, **quiet),
                **more,
            )
        # Steps that a killed run had sent and the resumed one makes again are drawn at their own place.
        sink.define_metric("*", step_metric="step")
        return sink

    def _how_to_send(self) -> str:
        return f"what is not sent lies in {self._run.log / 'wandb'}, and `wandb sync` sends it"


def sent_settings(config: TrainingConfig) -> dict[str, Any]:
    """Every setting by its path, as it may leave this machine."""
    return {path: _sendable(path, value) for path, value in flat_settings(config) if path not in KEPT_HERE}


def _sendable(path: str, value: Any) -> Any:
    if path in PATH_SETTINGS and value:  # folders tell whose machine it is
        return last_name(value)
    if isinstance(value, tuple):
        return [_sendable_part(one) for one in value]
    return value


def _sendable_part(part: Any) -> Any:
    if isinstance(part, NamedFolder):
        return part.model_dump() | {"path": shared_folder(part.path)}
    return part.model_dump() if hasattr(part, "model_dump") else part


MOST_ID_BYTES = 4096


def _run_id(run: RunFolder, *, resumed: bool) -> str:
    """What wandb calls this run: a new name, or for a resumed training the one that it had.

    It is not kept beside the states: a run that holds only this has not trained and may be planned anew.
    """
    if resumed and (known := _known_id(run.wandb_id)):
        return known
    made = secrets.token_hex(4)
    write_own(run.wandb_id, json.dumps({"id": made}) + "\n", _is_id)
    return made


def _known_id(path: Path) -> str | None:
    try:
        return _id_in(read_bounded(path, MOST_ID_BYTES))
    except OSError:
        return None


def _is_id(content: bytes) -> bool:
    return _id_in(content) is not None


def _id_in(content: bytes) -> str | None:
    try:
        found = parse_json(content)["id"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) and re.fullmatch(r"[a-z0-9]{8}", found) else None


@contextmanager
def _without_terminal() -> Iterator[None]:
    """Within, nobody can be asked for a key: a training must not wait for an answer."""
    before = sys.stdin
    with Path(os.devnull).open(encoding="utf-8") as nothing:
        sys.stdin = nothing
        try:
            yield
        finally:
            sys.stdin = before
