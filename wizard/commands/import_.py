"""`loracle import`: makes a run folder from another trainer's configuration or a LoRA's metadata."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from advisor.adapters.start_file import StartFile, read_start
from advisor.answers import Answers
from advisor.checkpoints.identify import identify
from advisor.dataset.edits import Edits
from advisor.dataset.scan import scan
from advisor.errors import LoraError, Mistakes, RunError
from advisor.facts import START_FROM, Facts
from advisor.files import is_file, is_folder, is_there
from advisor.machine.probe import probe_hardware
from advisor.planning.document import plain_value, plan_document
from advisor.run_folder.keep import kept_sentence
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.pictures.manifest import forget_manifest
from advisor.run_folder.pictures.run_dataset import edits_in, with_edits
from advisor.shown_text import short
from templates.importers import import_config
from templates.importing.import_plan import ImportPlan, file_name, is_absolute, plan_import
from templates.importing.imported import Imported
from templates.importing.local_files import leads_elsewhere
from templates.native.planned_pictures import write_pictures
from templates.native.run_folder import write_records
from wizard.interview.ask import TerminalAsk
from wizard.interview.facts import named_folders_of
from wizard.interview.names import checked_name
from wizard.interview.paths import absolute_path
from wizard.interview.preset_questions import WANDB_PROJECT, sends_to
from wizard.interview.questions import Option, Question
from wizard.output import is_terminal, print_json, say, show
from wizard.own_command import own_command
from wizard.processes.run_store import RunStore
from wizard.show.counting import counting
from wizard.show.import_view import import_view


def import_(
    path: str,
    *,
    out: Path,
    images: str | None = None,
    model: str | None = None,
    name: str | None = None,
    yes: bool = False,
    overwrite: bool = False,
    outside_files: bool = False,
    wandb: bool = False,
    as_json: bool = False,
) -> None:
    """Read a configuration, write the run folder, and print what became of every key.

    Args:
        path: a file or a trainer's folder.
        out: the run folder.
        images, model, name: replace the file's own.
        yes: take over a part of a file that trains no LoRA without asking.
        overwrite: replace files that the user changed or made, after keeping each beside it.
        outside_files: read texts that it names outside its own folder, too.
        wandb: take over its project of Weights & Biases without asking.

    Raises:
        LoraError: no trainer's file, or one that trains no LoRA and the user did not agree; or a failed write.
    """
    mistakes = Mistakes()
    own = mistakes.attempt(lambda: _own(images, model, name))
    found = mistakes.attempt(lambda: import_config(absolute_path(path), outside=outside_files))
    edits = mistakes.attempt(lambda: edits_in(RunFolder(out)))
    mistakes.refuse()
    assert found is not None
    assert own is not None
    assert edits is not None
    may_ask = is_terminal() and not as_json
    _agree(found, yes=yes, may_ask=may_ask)
    found = _with_agreed_project(found, yes=wandb, may_ask=may_ask)
    own |= _folders_elsewhere(found, own)
    found = _located(found, Path(found.source).parent)
    made = plan_import(found, _facts(found, own, out, edits), own)
    for kept in _write(out, made, overwrite=overwrite):
        say(kept_sentence(kept))
    RunStore().remember(out)
    if as_json:
        print_json(import_document(made))
        return
    show(import_view(made))
    say(f"\nWritten to {out}\nLook through its loracle.toml, then: {own_command('train', out)}")


def _agree(found: Imported, *, yes: bool, may_ask: bool) -> None:
    """Ask whether to take over a part of a Dreambooth or fine-tuning file, unless `yes`.

    Raises:
        RunError: the user did not agree, or may not be asked.
    """
    if not found.meant_for or yes:
        return
    warning = (
        f"{found.source} was saved by kohya_ss's {found.meant_for} tab: it trains a whole model, no LoRA. Its base "
        "model, pictures and captions make sense for a LoRA; its rates, length and optimizer do not."
    )
    if may_ask:
        options = (Option("yes", "take over what makes sense"), Option("no", "leave it"))
        question = Question("take_over", "Take it over?", "choice", options, default="yes", intro=warning, back=False)
        if TerminalAsk()(question) == "yes":
            return
        raise RunError("Nothing was written.")
    raise RunError(f"{warning} Add --yes to take those over.")


def _with_agreed_project(found: Imported, *, yes: bool, may_ask: bool) -> Imported:
    """Without the project of Weights & Biases, unless the user wants curves and samples to be sent to it."""
    project = found.settings.get(WANDB_PROJECT)
    if not project or yes or (may_ask and sends_to(str(project), TerminalAsk())):
        return found
    settings = {path: value for path, value in found.settings.items() if path != WANDB_PROJECT}
    note = "nothing is sent to Weights & Biases without your yes: --wandb takes it over"
    lines = tuple(
        replace(line, verdict="dropped", path="", value=None, note=note) if line.path == WANDB_PROJECT else line
        for line in found.lines
    )
    return replace(found, settings=settings, lines=lines, notes=(*found.notes, f"{short(project)}: {note}"))


def _own(images: str | None, model: str | None, name: str | None) -> dict[str, Any]:
    own: dict[str, Any] = {}
    if images is not None:
        own["dataset.images"] = str(absolute_path(images))
    if model is not None:
        own["model.path"] = str(absolute_path(model))
    if name is not None:
        own["saving.name"] = checked_name(name)
    return own


def _folders_elsewhere(found: Imported, own: Mapping[str, Any]) -> dict[str, Any]:
    """Without the file's folders, where the user gave other pictures that do not have them."""
    images = own.get("dataset.images")
    named = [Path(one.path) for one in found.settings.get("dataset.folders", ())]
    if images is None or all(not path.is_absolute() and is_folder(Path(images) / path) for path in named):
        return {}
    return {"dataset.folders": (), "dataset.only_folders": False}


def _located(found: Imported, home: Path) -> Imported:
    """With relative paths made absolute, where they exist in `home`, the file's folder."""
    settings = dict(found.settings)
    for path in (
        "model.path",
        "model.vae_path",
        "model.text_encoder_path",
        "dataset.images",
        "dataset.regularization_images",
        "network.start_from",
    ):
        given = settings.get(path)
        if isinstance(given, str) and given and not is_absolute(given) and is_there(home / given):
            settings[path] = str((home / given).absolute())
    return replace(found, settings=settings)


def _facts(found: Imported, own: Mapping[str, Any], out: Path, edits: Edits) -> Facts | None:
    """The facts of the imported run; None where base model or images are not on this machine.

    Args:
        edits: of the pictures, which lie in `out` already.
    """
    settings = {**found.settings, **own}
    model, images = Path(str(settings.get("model.path") or "?")), Path(str(settings.get("dataset.images") or "?"))
    if any(map(leads_elsewhere, _paths_of_file(found, own))) or not (model.is_absolute() and images.is_absolute()):
        return None
    try:
        if not is_there(model) or not is_folder(images):
            return None
        hardware = probe_hardware(out)
        answers = _answers(found, own, use_cpu=hardware.main_gpu is None)
        files = scan(images, only=named_folders_of(settings), tell=counting("pictures looked at"))
        report = with_edits(files, edits).report
        return Facts(hardware, report, identify(model), answers, start=_start(settings))
    except (LoraError, OSError):
        return None


def _paths_of_file(found: Imported, own: Mapping[str, Any]) -> Iterator[str]:
    """The paths that would be looked at because the file names them, and not the user."""
    for path in ("model.path", "dataset.images", START_FROM):
        if path not in own:
            yield str(found.settings.get(path) or "")
    if "dataset.folders" not in own:
        yield from (one.path for one in named_folders_of(found.settings) or ())


def _start(settings: Mapping[str, Any]) -> StartFile | None:
    """The LoRA to go on from, where it is on this machine."""
    given = str(settings.get(START_FROM) or "")
    if not given or not is_file(Path(given)):
        return None
    return read_start(Path(given))


def _answers(found: Imported, own: Mapping[str, Any], *, use_cpu: bool = False) -> Answers:
    settings = {**found.settings, **own}
    name = file_name(str(settings.get("saving.name") or Path(found.source).stem))
    return Answers(name=name, trigger=str(settings.get("run.trigger") or ""), use_cpu=use_cpu)


def _write(out: Path, made: ImportPlan, *, overwrite: bool) -> tuple[Path, ...]:
    config = made.plan.config
    own = {"saving.name": config.saving.name, "run.trigger": config.run.trigger}
    answers, document = _answers(made.imported, own), import_document(made)
    more = forget_manifest if made.facts is None else partial(write_pictures, made.facts.dataset, config)
    return write_records(out, made.plan, answers, document, overwrite=overwrite, more=more)


def import_document(made: ImportPlan) -> dict[str, object]:
    """The document of `import --json`: the plan's, and what became of each key of the file."""
    document = plan_document(made.facts, made.plan) if made.facts is not None else _document_without_facts(made)
    lines = [
        {"key": line.key, "found": line.found, "verdict": line.verdict, "path": line.path or None, "note": line.note}
        for line in made.imported.lines
    ]
    document["import"] = {
        "format": made.imported.format, "title": made.imported.title, "source": made.imported.source,
        "meant_for": made.imported.meant_for or None, "notes": list(made.imported.notes), "lines": lines,
        "advice": [
            {"path": item.path, "imported": plain_value(item.imported), "advised": plain_value(item.advised),
             "reason": item.reason}
            for item in made.advice
        ],
    }  # fmt: skip
    return document


def _document_without_facts(made: ImportPlan) -> dict[str, object]:
    tree = made.plan.config.model_dump(mode="json")
    decisions = []
    for item in made.plan.decisions:
        group, _, name = item.path.partition(".")
        source = {"title": item.source.title, "url": item.source.url}
        decisions.append(
            {
                "path": item.path,
                "value": tree[group][name],
                "reason": item.reason,
                "origin": item.origin,
                "source": source,
            }
        )
    warnings = [{"code": warning.code, "message": warning.message} for warning in made.plan.warnings]
    empty: dict[str, object] = dict.fromkeys(("hardware", "dataset", "model"))
    return {**empty, "preset": made.plan.config.memory.preset, "config": tree, "decisions": decisions,
            "warnings": warnings, "estimate": None}  # fmt: skip
