"""The exporter for SkyPilot: writes `task.yaml` and a bundle, with which a rented machine trains the run by Loracle."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from advisor.errors import ConfigError, ConfigErrors, RunError
from advisor.files import is_file, is_there, read_bounded
from advisor.run_folder.config_file import MOST_CONFIG_BYTES
from advisor.run_folder.layout import RunFolder
from advisor.run_folder.paths import CACHE, LOCK_NAME
from advisor.same_place import resolved
from advisor.settings.config import TrainingConfig, setting_paths
from advisor.shell import quoted
from advisor.units import gib, named
from templates.exporting.exporter import USUAL, Export, Exporter, ExportOptions
from templates.exporting.image_links import LIST_SUFFIX
from templates.exporting.memory import TrainerMemory
from templates.exporting.paths import absolute, located, named_images
from templates.exporting.write_files import write_files
from templates.render import render
from templates.skypilot.accelerators import Accelerator, fitting
from templates.skypilot.bundle_config import bundle_config, config_text
from templates.skypilot.bundle_pictures import PICTURES, REGULARIZATION, BundlePictures, bundle_pictures
from templates.skypilot.model_files import ModelFiles, is_handed_on, model_errors, model_files
from templates.skypilot.need import LEAST_CPUS, Need, machine_need
from templates.skypilot.own_wheel import own_wheel, pinned_packages

FOLDER_NAME, FILE_NAME = "skypilot", "task.yaml"
BUNDLE, RUN = "bundle", "run"
"""What is copied to the machine, and the run folder in it."""

EXTRAS = {
    "adamw8bit": "bitsandbytes", "prodigy": "optimizers", "came": "optimizers", "schedule_free_adamw": "optimizers",
}  # fmt: skip
"""The group of packages that an optimizer is from, where it is none that Loracle always has."""

HEAD = "A training by Loracle on a rented machine: a task for SkyPilot, which chooses the cloud by its price."
CONSTRAINTS_HEAD = "The versions of the packages with which this bundle was made."
IGNORED_HEAD = (
    "What of this folder is not copied to the machine. As this file is here, no .gitignore around it is heeded."
)
IGNORED = (
    f"/{PICTURES}{LIST_SUFFIX}", f"/{REGULARIZATION}{LIST_SUFFIX}", "*.bak", f"/{RUN}/{CACHE}", f"/{RUN}/{LOCK_NAME}*",
)  # fmt: skip

DROPS = {"machine.gpu_uuid": "a rented machine has a card of its own"}
"""Settings without a place in a bundle, and what that means."""
MAPS = frozenset(setting_paths()) - frozenset(DROPS)
MEMORY = TrainerMemory(
    activations={}, checkpointed={}, reported_bytes={}, source="it is our own trainer", quantises=True,
    swaps_blocks=True,
)  # fmt: skip

HOW_TO_START = (
    "With SkyPilot (pip install skypilot) and an account at a cloud,\n  cd {home}\n  sky launch -c {name} {file}\n"
    "It shows machines and prices, and asks before it rents one. What comes of it is fetched by\n  rsync -av "
    "--exclude=/cache --exclude='/.lock*' {name}:sky_workdir/run/ {bundle}/run/\nand given back, with the disk, by\n"
    "  sky down {name}"
)


def write(config: TrainingConfig, *, run: Path, out: Path | None = None, options: ExportOptions = USUAL) -> Export:
    """The task in `run`/exports/skypilot (or the folder `out`), and beside it the bundle that it copies to the machine.

    Raises:
        ConfigErrors: a file that the bundle needs is not here, or no card that is rented out fits; nothing is written.
        DatasetError: the folder of images holds none.
        UsersFiles: files in the way are the user's; nothing is written.
        RunError: something cannot be written, or a training that came back lies there.
    """
    home = RunFolder(absolute(run)).exports / FOLDER_NAME if out is None else absolute(out)
    if is_file(home):
        raise RunError(f"{home} is a file: name a folder for SkyPilot's task and its bundle")
    bundle = home / BUNDLE
    errors = (*_place_errors(home), *model_errors(config, run))
    pictures = bundle_pictures(config, run, bundle)
    if pictures is None:
        mend = "a bundle needs the pictures, and they are not on this machine"
        errors += (ConfigError("dataset.images", named_images(config), mend),)
    if errors or pictures is None:
        raise ConfigErrors(errors, where="no rented machine could train this")
    models, extras = model_files(config, run), _extras(config)
    bundled = bundle_config(config, models.places, pictures)
    need = _need(config, run, models, pictures)
    cards = _cards(config, need)
    text = config_text(config, bundled, RunFolder(run).known_plan(), absolute(run))
    own = RunFolder(bundle / RUN)
    _refuse_returned(own, text)
    wheel, pins = own_wheel(), pinned_packages(extras)
    task = _task(config, cards=cards, need=need, models=models, wheel=_with_extras(wheel.name, extras))
    contents: dict[Path, str | bytes] = {
        home / FILE_NAME: task,
        own.config: text,
        bundle / "constraints.txt": _lines(CONSTRAINTS_HEAD, [f"{name}=={version}" for name, version in pins.items()]),
        bundle / ".skyignore": _lines(IGNORED_HEAD, IGNORED),
        bundle / wheel.name: wheel.content,
    }
    notes = [*_notes(config, need, cards, models)]
    notes += write_files(contents, pictures.all, config=config, run=run, kind="skypilot", options=options)
    start = HOW_TO_START.format(home=quoted(str(home)), name=task_name(config), file=FILE_NAME, bundle=BUNDLE)
    return Export((home / FILE_NAME, bundle), tuple(notes), start)


EXPORTER = Exporter(
    "skypilot", "SkyPilot (our trainer on a rented machine)", MAPS, DROPS, MEMORY, write, is_own_trainer=True
)


def task_name(config: TrainingConfig) -> str:
    """The task's and the machine's name, of letters that every cloud takes: `loracle-mia`."""
    plain = re.sub(r"[^a-z0-9]+", "-", config.saving.name.lower())[:20].strip("-")
    return f"loracle-{plain or 'lora'}"


def _place_errors(home: Path) -> Iterator[ConfigError]:
    if not is_handed_on(resolved(home)):
        mend = "SkyPilot does not hand a path with ', a backslash or such signs on to rsync as it is: name another"
        yield ConfigError("--out", str(home), mend)


def _need(config: TrainingConfig, run: Path, models: ModelFiles, pictures: BundlePictures) -> Need:
    regularization = None if pictures.regularization is None else pictures.regularization.report
    model = located(config.model.path, run)
    return machine_need(config, pictures.report, regularization, model=model, extra=models.num_bytes)


def _cards(config: TrainingConfig, need: Need) -> Sequence[Accelerator]:
    """The cards to ask for; none where the processor trains.

    Raises:
        ConfigErrors: no card has as much memory.
    """
    if config.memory.preset == "cpu":
        return ()
    found = fitting(config, need.vram)
    if not found:
        mend = f"the training takes {gib(need.vram)} of a card, and none that SkyPilot has holds as much: lower it"
        error = ConfigError("dataset.resolution_px", config.dataset.resolution_px, mend)
        raise ConfigErrors((error,), where="no rented machine could train this")
    return found


def _refuse_returned(own: RunFolder, text: str) -> None:
    """Refuse to put another plan beside a training that was fetched from a machine."""
    if not own.has_trained() or not is_there(own.config):
        return
    if read_bounded(own.config, MOST_CONFIG_BYTES) != text.encode("utf-8"):
        raise RunError(
            f"{own.path} holds what came back from a rented machine, which another plan trained: name another place "
            "with --out, or move that folder away"
        )


def _extras(config: TrainingConfig) -> frozenset[str]:
    found = {EXTRAS[config.optimizer.name]} if config.optimizer.name in EXTRAS else set[str]()
    return frozenset(found | ({"wandb"} if config.run.wandb_project else set()))


def _with_extras(wheel: str, extras: frozenset[str]) -> str:
    """As pip takes a wheel of the current folder with groups of packages beside it."""
    return f"./{wheel}{'[' + ','.join(sorted(extras)) + ']' if extras else ''}"


def _task(config: TrainingConfig, *, cards: Sequence[Accelerator], need: Need, models: ModelFiles, wheel: str) -> str:
    downloads = [shlex.join(("fetch", one.address, one.place, one.sha256)) for one in models.downloads]
    return render(
        "skypilot/files/task.yaml.j2",
        head=HEAD,
        name=task_name(config),
        bundle=BUNDLE,
        accelerators=[one.name for one in cards],
        memory=_memory(config, need),
        cpus=f"{LEAST_CPUS}+",
        ram=f"{need.ram_gib}+",
        disk_gb=need.disk_gb,
        mounts=models.mounts,
        downloads=downloads,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        backend="auto" if cards else "cpu",
        wheel=wheel,
    )


def _memory(config: TrainingConfig, need: Need) -> str:
    if config.memory.preset == "cpu":
        return "The run is planned for a processor: no card is asked for."
    dtype = " and have bfloat16" if config.memory.compute_dtype == "bfloat16" else ""
    return (
        f"The training takes {gib(need.vram)} of a card. Any of these, which hold that{dtype}: SkyPilot takes the "
        "cheapest that is to be had."
    )


def _lines(head: str, lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in (f"# {head}", *lines))


def _notes(config: TrainingConfig, need: Need, cards: Sequence[Accelerator], models: ModelFiles) -> Iterator[str]:
    if cards:
        names = [one.name for one in cards]
        yield (
            f"Memory: the training takes {gib(need.vram)} of a card, which {names[0]} ({cards[0].memory_gib:g} GB) and "
            f"{len(cards) - 1} larger ones have. The plan stays the one for your card: `loracle plan RUN --card "
            '"RTX 3090"` plans for one that you want to rent, which may do more at once.'
        )
    else:
        yield "The run is planned for a processor, so that no card is rented: plan it with --card to use one."
    if models.mounts:
        yield (
            f"{named(str(mount.source) for mount in models.mounts)}: copied to the machine from there, "
            f"{gib(models.num_bytes)} over your line. task.yaml names these places, the bundle none of this machine."
        )
    if models.downloads:
        yield (
            f"{named(one.address for one in models.downloads)}: fetched by the machine itself. Where that address asks "
            "who you are, start with --secret HF_TOKEN; the token is written into no file."
        )
    if config.run.wandb_project:
        yield "run.wandb_project: start with --secret WANDB_API_KEY; else the machine keeps those logs to itself."
