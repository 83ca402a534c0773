"""Which tagger is used: a file that was given, one that is on this machine, or one that is fetched with consent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from advisor.errors import LoraError, ModelError
from advisor.files import is_there
from advisor.tagging.known_models import KNOWN_MODELS, KnownModel, known_model, refuse_unknown
from advisor.tagging.tagger_model import MODEL_NAME, model_file
from advisor.units import size
from wizard.interview.paths import absolute_path
from wizard.interview.pictures.tagger_models import called, is_whole, title
from wizard.interview.questions import BACK, Ask, Option, Question, choice

OTHER, NONE = "other", "no"
NAME_IT = "name it with --model FOLDER"
CHOOSE_IT = 'choose "Another one" here'
"""The same within the question."""
OFFLINE_VARIABLES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
SET = ("1", "true", "yes", "on")
"""What the hub's library takes for a wish to stay offline, in small letters."""


@dataclass(frozen=True)
class TaggerSources:
    """Where taggers come from."""

    found: Callable[[], Sequence[Path]]
    """The ONNX files of those on this machine, the one used last first."""
    fetch: Callable[[KnownModel], Path]
    """Downloads one; its ONNX file."""
    environment: Mapping[str, str]
    last: str | None = None
    """The one used last."""
    agreed: bool = False
    """The user has agreed to a download before (`--yes`)."""


def given_tagger(given: str | None, sources: TaggerSources, ask: Ask | None) -> Path:
    """The ONNX file of the tagger to use.

    Args:
        given: a file, a folder or a name; None: none was.
        ask: asks the user; None: nobody can be asked.

    Raises:
        LoraError: there is none, or nobody agrees to a download.
    """
    if given is None:
        found = tuple(sources.found())
        if found and (sources.last == str(found[0]) or len(found) == 1):
            return found[0]
        if ask is not None:
            if (asked := asked_tagger(ask, sources, found)) is None:
                raise LoraError("Nothing was tagged.")
            return asked
        raise ModelError(_name_one(found))
    path = absolute_path(given)
    if is_there(path):
        return model_file(path)
    known = known_model(given)
    local = called(given if known is None else known.name, sources.found())
    if local is not None and (known is None or is_whole(known, local)):
        return local
    if known is None:
        raise refuse_unknown(given)
    return fetched(known, sources, ask)


def asked_tagger(ask: Ask, sources: TaggerSources, found: Sequence[Path]) -> Path | None:
    """The tagger that the user picks; None: none of them."""
    names = [title(file) for file in found]
    options = [Option(str(file), f"{name}, {file.parent}") for file, name in zip(found, names, strict=True)]
    options += [Option(one.name, _offer(one)) for one in KNOWN_MODELS if one.name not in names]
    options += [Option(OTHER, f"Another one: I name its {MODEL_NAME} ..."), Option(NONE, "None: do not tag")]
    question = Question(
        "tagger", "Which model shall tag them?", "choice", options=tuple(options), default=options[0].value, back=False
    )
    while True:
        answer = ask(question)
        if answer in (NONE, BACK):
            return None
        if answer == OTHER:
            answer = ask(Question("tagger_file", "Which file?", "file", hint=f"{MODEL_NAME}, or the folder with it"))
            if answer == BACK or not answer.strip():
                continue
        try:
            known = known_model(answer)
            return model_file(absolute_path(answer)) if known is None else fetched(known, sources, ask, CHOOSE_IT)
        except LoraError as error:
            ask.tell(str(error))


def fetched(known: KnownModel, sources: TaggerSources, ask: Ask | None, name_it: str = NAME_IT) -> Path:
    """Download a model, if the user agrees.

    Args:
        name_it: how one that was downloaded by hand is named.

    Raises:
        LoraError: the user does not, nobody can be asked, the machine is to stay offline, or it cannot be downloaded.
    """
    by_hand = " and ".join(known.address(file) for file in known.files)
    for variable in OFFLINE_VARIABLES:
        if sources.environment.get(variable, "").lower() in SET:
            raise ModelError(
                f"{known.name} is not on this machine, and {variable} keeps it offline: download {by_hand} into one "
                f"folder, and {name_it}"
            )
    what = f"{known.name} ({size(known.num_bytes)}, licence {known.licence}) from {known.page}"
    if not sources.agreed:
        if ask is None:
            raise ModelError(
                f"{known.name} is not on this machine: --yes downloads {what}; or download {by_hand} yourself"
            )
        question = choice("fetch", f"Download {what}?", ("yes", "Yes"), ("no", "No"), back=False)
        if ask(question) != "yes":
            raise LoraError(f"Nothing was downloaded. By hand: {by_hand} into one folder, and {name_it}")
    return sources.fetch(known)


def _offer(known: KnownModel) -> str:
    return f"Download {known.name}: {known.title} ({size(known.num_bytes)}, {known.licence})"


def _name_one(found: Sequence[Path]) -> str:
    names = ", ".join(one.name for one in KNOWN_MODELS)
    if found:
        return f"There are several taggers here ({', '.join(map(str, found[:5]))}): name one of them with --model FILE"
    return (
        f"No tagger was found on this machine: name its {MODEL_NAME} with --model FILE, or fetch one by its name with "
        f"--model NAME ({names})"
    )
