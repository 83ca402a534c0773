"""`loracle convert`: a pickled checkpoint's weights as a .safetensors file, after a yes and in a process of its own.

A LoRA in kohya's names, which needs no yes, is written in the other names that programs know for its family, which for
SD are diffusers'; one of Anima or Z-Image that has those already, in kohya's.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from advisor.checkpoints.identify import identify
from advisor.dataset.file_stamp import stamp_of
from advisor.errors import LoraError, ModelError
from advisor.families import KNOWN_FAMILIES
from advisor.files import is_folder, is_there
from advisor.run_folder.keep import keep_beside, kept_sentence
from advisor.tensor_files.header import read_header
from advisor.tensor_files.other_formats import convert_command, is_pickle
from wizard.interview.ask import TerminalAsk
from wizard.interview.paths import absolute_path
from wizard.interview.questions import Ask, choice, replace_question
from wizard.output import is_terminal, print_json, say, show
from wizard.processes.conversion import LORA_MODULE, PICKLE_MODULE, run_conversion
from wizard.show.identity_view import identity_document, identity_lines

SUFFIX = ".safetensors"
PICKLE_SUFFIXES = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
"""Replaced by SUFFIX in the new file's name; other suffixes belong to the name and stay."""
TRANSFORMERS_NAMES = {"pytorch_model": "model", "pytorch_model.fp16": "model.fp16"}
"""Stem of a text encoder's pickle in a diffusers folder to that of its safetensors file."""

WARNING = (
    "{source} is a pickle, the old format for models. A pickle is a small program: most programs that open one do "
    "whatever it says, and somebody may have put more into it than a model.\n"
    "Loracle does not run it. It first reads the list of what the file asks for and refuses anything but weights, by "
    "name; then it takes out the numbers, in a process of its own, and writes them to a .safetensors file, which can "
    "hold nothing else. The old file stays as it is.\n"
    "No check is perfect, so go on only if you know where the file comes from; if its page offers a .safetensors file, "
    "take that instead.\n"
)
"""Printed before the question whether to read it."""


def convert(
    file: str, *, out: str | None = None, yes: bool = False, overwrite: bool = False, as_json: bool = False
) -> None:
    """Convert a pickle to safetensors, or a LoRA into other names of layers, and print what it is.

    Args:
        out: the new file, or a folder for it; None: beside the old one.
        yes: read a pickle without asking.
        overwrite: replace an existing file without asking, after keeping it beside.

    Raises:
        LoraError: it is no pickle, the user did not agree, it was refused, or the new file cannot be written.
        KeyboardInterrupt: Ctrl-C; nothing was written.
    """
    source = absolute_path(file)
    ask = TerminalAsk() if is_terminal() and not as_json else None
    if (ending := ending_of_names(source)) is not None:
        target, module = copy_path(source, ending, out), LORA_MODULE
    else:
        refuse_other_files(source)
        target, module = converted_path(source, out), PICKLE_MODULE
        agree(source, ask, yes=yes)
    kept = keep_beside(target) if overwrite and os.path.lexists(target) else None
    before = stamp_of(target)
    if kept is None:
        agree_to_replace(target, ask)
    tell = say if as_json or not is_terminal() else show
    try:
        finished = run_conversion(source, target, say=tell, module=module, is_new=before is None)
    except BaseException:
        if kept is not None and stamp_of(target) == before:
            kept.unlink(missing_ok=True)  # the file itself is still there
        elif kept is not None:
            say(kept_sentence(kept))
        raise
    if kept is not None:
        say(kept_sentence(kept))
    _print_result(target, finished, as_json=as_json)


def ending_of_names(path: Path) -> str | None:
    """What the name of a LoRA in the names that it is converted to ends in; None: it is no LoRA that is converted."""
    try:
        names, found = read_header(path).tensors, identify(path)
    except ModelError:
        return None
    is_kohyas = any(name.startswith(("lora_unet_", "lora_te")) for name in names)
    known = KNOWN_FAMILIES.get(found.family or "") if found.kind == "lora" else None
    if known is not None and known.layer_names == "original":
        return "-comfyui" if is_kohyas else "-kohya"
    return "-diffusers" if is_kohyas else None


def refuse_other_files(path: Path) -> None:
    """Check that its content is a pickle and its suffix is not .safetensors.

    Raises:
        ModelError: it is something else; for a folder, the message names the pickles in it.
    """
    if is_folder(path):
        pickles = sorted(path.glob("*/*.bin")) + sorted(path.glob("*.bin"))
        commands = "".join(f"\n  {convert_command(pickle)}" for pickle in pickles)
        raise ModelError(
            f"{path} is a folder: " + (f"convert its files one by one:{commands}" if pickles else "give a file in it")
        )
    try:
        read_header(path)
    except ModelError:
        if not is_pickle(path) or path.suffix.lower() == SUFFIX:
            raise
        return
    raise ModelError(f"{path} is a safetensors file already: there is nothing to convert; use it as it is")


def converted_path(source: Path, out: str | None) -> Path:
    """The path of the new file.

    Raises:
        LoraError: `out` does not end in .safetensors, or is the source file or a folder.
    """
    stem = source.stem if source.suffix.lower() in PICKLE_SUFFIXES else source.name
    return _target(source, TRANSFORMERS_NAMES.get(stem, stem) + SUFFIX, out)


def copy_path(source: Path, ending: str, out: str | None) -> Path:
    """The path of a LoRA in other names; one in diffusers' is named as `saving.diffusers_copy` names it.

    Raises:
        LoraError: `out` does not end in .safetensors, or is the source file or a folder.
    """
    return _target(source, f"{source.stem}{ending}{SUFFIX}", out)


def _target(source: Path, name: str, out: str | None) -> Path:
    target = source.with_name(name)
    if out is not None:
        given = absolute_path(out)
        target = given / target.name if is_folder(given) else given
    if target.suffix.lower() != SUFFIX:
        raise LoraError(f"--out is {target}: it must end in {SUFFIX}, since other programs go by that")
    if target == source or (is_there(target) and target.samefile(source)):
        raise LoraError(f"--out is {target}, the file itself: name another one, so that the old one stays")
    if is_folder(target):
        raise LoraError(f"--out is {target}, a folder: name a file in it")
    return target


def agree(source: Path, ask: Ask | None, *, yes: bool) -> None:
    """Warn of pickles and ask whether to read this one, unless `yes`.

    Raises:
        LoraError: the user did not agree, or there is no terminal to ask in.
    """
    if yes:
        return
    if ask is None:
        raise LoraError(
            WARNING.format(source=source) + "Nobody is there to be asked: if you agree, run it again with --yes."
        )
    ask.tell(WARNING.format(source=source))
    question = choice(
        "convert", "Convert it?", ("no", "No, leave it"), ("yes", "Yes, take out its weights"), back=False
    )  # fmt: skip
    if ask(question) != "yes":
        raise LoraError("Nothing was opened and nothing written.")


def agree_to_replace(target: Path, ask: Ask | None) -> None:
    """Ask whether to replace an existing file; `--yes` does not cover this, `--overwrite` does.

    Raises:
        LoraError: the user did not agree, or there is no terminal to ask in.
    """
    if not is_there(target):
        return
    mend = "name another with --out, or add --overwrite, which first keeps it beside as NAME.bak"
    if ask is None:
        raise LoraError(f"{target} is there already, and it is not replaced unasked: {mend}")
    if ask(replace_question(target.name)) != "yes":
        raise LoraError(f"{target} stays as it is: {mend}")


def _print_result(target: Path, finished: dict[str, Any], *, as_json: bool) -> None:
    """Print what the new file is, as `loracle identify` does, and what was left out of it."""
    identity = identify(target)
    if as_json:
        result = {key: finished[key] for key in ("path", "num_tensors", "sha256_of_source", "notes")}
        print_json({**result, "identity": identity_document(identity)})
        return
    show("\n".join([f"Written: {target}", identity_lines(identity), *finished["notes"]]))
