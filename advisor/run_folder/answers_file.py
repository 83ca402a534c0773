"""`answers.toml` read again: what was answered, by which a plan can be made anew."""

from __future__ import annotations

import errno
from pathlib import Path

from pydantic import ValidationError

from advisor.answers import Answers
from advisor.errors import ConfigErrors, RunError
from advisor.files import read_bounded
from advisor.settings.parse_value import WrongValue, parse_settings
from advisor.toml_file import parse_toml

MOST_ANSWERS_BYTES = 1024 * 1024
"""No honest record of answers is larger."""


def read_answers(path: Path) -> Answers:
    """The answers in a file.

    Raises:
        RunError: there is none, or it is damaged.
    """
    try:
        return _answers(parse_toml(read_bounded(path, MOST_ANSWERS_BYTES).decode("utf-8")))
    except FileNotFoundError:
        raise RunError(f"{path.parent} keeps no answers ({path.name}): start anew with `loracle new`") from None
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise RunError(f"{path} is larger than any record of answers: is it the right file?") from None
        raise RunError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ConfigErrors, ValidationError) as error:
        problems = "; ".join(_problems(error))
        raise RunError(
            f"{path} holds what is no answer ({problems}): mend it, or start anew with `loracle new`"
        ) from None
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged ({error}): delete it, or start anew with `loracle new`") from None


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
