"""Images, their repeats, captions, masks and prompts on a real disk: what is exported comes back by an import."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from advisor.dataset.buckets import repeats_of_folders
from advisor.dataset.captions import CaptionReader
from advisor.dataset.scan import scan
from advisor.errors import ConfigErrors
from advisor.settings.config import DatasetConfig, TrainingConfig, parse_config
from templates.ai_toolkit import export_job as ai_toolkit_job
from templates.exporters import EXPORTERS
from templates.exporting.image_folders import placed_folders
from templates.exporting.planned_images import planned_images, planned_length, planned_regularization
from templates.importers import import_config
from tests.support.expected import WORDS, captions_in_kohya, differences, plausible_configs, settled
from tests.support.pictures import draw_picture
from tests.support.vocabularies import OF_STABLE_DIFFUSION
from tests.templates.importing.test_round_trips import for_ai_toolkit, in_ai_toolkit, in_kohya, in_onetrainer

TRIGGER = "mira"
FOLDERS = (".", "costume", f"3_{TRIGGER}", "Füchse 🦊", "costume/hats and shoes", f"12_{TRIGGER}")
"""Where pictures may lie; `N_name` as kohya has it."""

ON_DISK = frozenset(
    {
        "dataset.images", "dataset.folders", "dataset.only_folders", "dataset.repeats",
        "dataset.regularization_images", "dataset.regularization_folders",
    }
)  # fmt: skip
"""Compared by what is shown how often, since exports may link the pictures elsewhere."""


@dataclass(frozen=True)
class Collection:
    """What lies where."""

    counts: dict[str, int]
    """Pictures by folder."""
    repeats: dict[str, int]
    """Of the folders that have their own."""
    rest: int
    """Repeats of the others."""
    regular: dict[str, int]
    """Pictures of the class by folder; none: there are none."""


@st.composite
def collections(draw: st.DrawFn) -> Collection:
    """The root's pictures, where folders lie deeper than one below it: OneTrainer's concepts cannot tell the root."""
    names = draw(st.lists(st.sampled_from(FOLDERS), min_size=1, max_size=4, unique=True))
    names += ["."] * ("." not in names and "costume/hats and shoes" in names)
    numbers = st.integers(1, 9)
    own = {name: draw(numbers) for name in names if name != "." and draw(st.booleans())}
    regular = draw(st.sampled_from(([], ["."], ["2_girl"], ["1_girl", "4_woman"])))
    return Collection(
        {name: draw(st.integers(1, 3)) for name in names}, own, draw(numbers), {name: draw(numbers) for name in regular}
    )


@st.composite
def image_configs(draw: st.DrawFn) -> TrainingConfig:
    """As `plausible_configs`, with whatever captions, masks and prompts can be."""
    tree = draw(plausible_configs()).model_dump()
    tree["run"]["trigger"] = TRIGGER
    tree["dataset"] |= {
        "masks": draw(st.booleans()), "mask_source": draw(st.sampled_from(["alpha", "files"])),
        "caption_extension": draw(st.sampled_from([".txt", ".caption", ".cap"])),
        "shuffle_captions": draw(st.booleans()), "wildcards": draw(st.booleans()),
        "weighted_captions": draw(st.booleans()), "max_tokens": draw(st.sampled_from([75, 150, 225])),
    }  # fmt: skip
    words = st.lists(WORDS | st.sampled_from(["(sehr gut:1.2)", "Füchse 🦊", "it's"]), min_size=1, max_size=4)
    tree["sampling"] |= {
        "prompts": draw(st.lists(words.map(", ".join), min_size=1, max_size=4)), "every_epochs": draw(st.integers(1, 5))
    }  # fmt: skip
    return parse_config(tree)


def laid_out(root: Path, counts: dict[str, int], ending: str) -> Path:
    """The pictures with a caption of two lines each that no other has."""
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            picture = draw_picture(root / folder / f"{folder.count('/')}{number}.png", (64, 64))
            picture.with_suffix(ending).write_text(f"{root.name}, {folder}, {number}\nat sea", "utf-8")
    return root


def on_disk(config: TrainingConfig, found: Collection, home: Path) -> TrainingConfig:
    """The configuration of these pictures."""
    tree, ending = config.model_dump(), config.dataset.caption_extension
    tree["dataset"] |= {
        "images": str(laid_out(home / "my pictures", found.counts, ending)), "repeats": found.rest,
        "folders": [{"path": path, "repeats": number} for path, number in found.repeats.items()],
        "regularization_images": str(laid_out(home / "class", found.regular, ending)) if found.regular else None,
    }  # fmt: skip
    return parse_config(tree)


def on_the_disk(settings: Mapping[str, Any]) -> DatasetConfig:
    """What settings say of where pictures are."""
    return DatasetConfig.model_validate(
        {path.partition(".")[2]: value for path, value in settings.items() if path in ON_DISK}
    )


def shown(dataset: DatasetConfig, ending: str, *readers: CaptionReader) -> Counter[tuple[str, int]]:
    """(caption, repeats) of every picture, captions as the last of these readers has them from the one before it."""
    report = scan(Path(dataset.images), only=dataset.named_folders, caption_extension=ending)
    for reader in readers:
        report = report.read_by(reader)
    placed = placed_folders(report, repeats_of_folders(report.folders, dataset), concept="x")
    return Counter((str(image.caption), folder.repeats) for folder in placed for image in folder.images)


def of_class(dataset: DatasetConfig, ending: str, *readers: CaptionReader) -> set[str]:
    """The captions of the pictures of the class."""
    if dataset.regularization_images is None:
        return set()
    only = dataset.regularization_folders or None
    report = scan(Path(dataset.regularization_images), only=only, caption_extension=ending)
    for reader in readers:
        report = report.read_by(reader)
    return {str(image.caption) for image in report.image_files}


def exported(config: TrainingConfig, name: str, run: Path) -> Path:
    """The main file of an export; what the trainer cannot have is not what this is about."""
    try:
        return EXPORTERS[name].write(config, run=run, out=None).paths[0]
    except ConfigErrors:
        assume(False)
        raise


def expectation(config: TrainingConfig, name: str, run: Path) -> dict[str, Any]:
    """Every setting as the trainer's files can say it."""
    home = run / "exports"
    images = planned_images(config, run, home / "img")
    regular = planned_regularization(config, run, home / "reg")
    expected = settled(config)
    if name in ("kohya-gui", "sd-scripts"):
        expected |= captions_in_kohya(config)
    if name in ("kohya-gui", "sd-scripts", "ai-toolkit") and config.dataset.mask_source == "files":
        expected |= {"dataset.masks": False, "dataset.mask_source": "alpha"}
    if name == "kohya-gui":
        if config.network.kind == "dora":
            expected["network.dora_axis"] = "output"  # the GUI has no key for it
        return expected | in_kohya(config, planned_length(config, images, regular))
    if name == "onetrainer":
        return expected | in_onetrainer(config)
    if name == "sd-scripts":
        steps = in_kohya(config, planned_length(config, images, regular))
        return expected | {path: value for path, value in steps.items() if "warmup" not in path}
    length = planned_length(config, images, regular)
    layout = ai_toolkit_job.ExportLayout(
        home="", model="", vae="", weights="", images="", folders=images.folders, regularization="",
        regular_folders=(regular.folders or ()) if regular else (), length=length,
    )  # fmt: skip
    return expected | in_ai_toolkit(config, layout)


@pytest.mark.parametrize("name", OF_STABLE_DIFFUSION)
# Shrinking takes minutes on a disk; `Collection` is small enough to read.
@settings(max_examples=20, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(config=image_configs(), found=collections())
def test_images_captions_masks_and_prompts_come_back(name: str, config: TrainingConfig, found: Collection) -> None:
    with TemporaryDirectory(prefix="Füchse 🦊 ") as home:
        config = on_disk(for_ai_toolkit(config) if name == "ai-toolkit" else config, found, Path(home))
        run = Path(home) / "my run"
        main = exported(config, name, run)

        back = import_config(main)

        expected, maps = expectation(config, name, run), EXPORTERS[name].maps - ON_DISK
        if expected["schedule.max_steps"]:
            maps -= {"schedule.epochs"}
        if name == "ai-toolkit":
            # steps, whose epochs are longer there by short batches
            maps -= {"schedule.epochs", "schedule.max_steps", "sampling.every_epochs", "saving.every_epochs"}
            schedule = config.schedule
            if schedule.name == "constant_with_warmup" and schedule.warmup_share and not schedule.warmup_steps:
                expected["schedule.warmup_steps"] = int(schedule.warmup_share * back.effective["schedule.max_steps"])
        wrong = differences(back.effective, config, expected, maps)
        assert wrong == {}, wrong
        ending, got = config.dataset.caption_extension, on_the_disk(back.effective)
        lines = CaptionReader(back.effective["dataset.caption_lines"])
        ours, of_class_ours = CaptionReader.of(config), CaptionReader(config.dataset.caption_lines)
        if name == "onetrainer":  # which reads the user's own files
            ours = of_class_ours = lines
        assert shown(got, ending, lines) == shown(config.dataset, ending, ours, lines)
        assert of_class(got, ending, lines) == of_class(config.dataset, ending, of_class_ours, lines)
        odd = [*back.of("unknown"), *back.of("contradictory")]
        assert odd == [], odd
