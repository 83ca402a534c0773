from __future__ import annotations

import math
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisor.settings.config import TrainingConfig, parse_config
from templates.ai_toolkit import export_job as ai_toolkit_job
from templates.ai_toolkit import words as ai_toolkit_words
from templates.ai_toolkit.export import EXPORTER as AI_TOOLKIT
from templates.ai_toolkit.import_job import import_job
from templates.exporting.derived import Length
from templates.exporting.image_folders import PlacedFolder, PlacedImage
from templates.importing.document import parse_json, parse_toml, parse_yaml
from templates.kohya.export_check import check_gui, check_scripts
from templates.kohya.export_gui import EXPORTER as GUI
from templates.kohya.export_gui import render_gui
from templates.kohya.export_gui_values import gui_settings
from templates.kohya.export_layout import ExportLayout
from templates.kohya.export_schedule import known_steps, schedule_errors
from templates.kohya.export_script_tables import Subset, dataset_settings, script_settings
from templates.kohya.export_scripts import EXPORTER as SCRIPTS
from templates.kohya.export_scripts import launch_sh
from templates.kohya.import_gui import import_gui
from templates.kohya.import_scripts import import_scripts
from templates.kohya.prompt_lines import prompt_lines
from templates.onetrainer import export_concepts as onetrainer_concepts
from templates.onetrainer import export_config as onetrainer_config
from templates.onetrainer.export import EXPORTER as ONETRAINER
from templates.onetrainer.import_config import import_onetrainer
from templates.render import render
from tests.support.expected import captions_in_kohya, differences, plausible_configs, settled
from tests.support.given_files import GivenFiles

NUM_IMAGES = 30
NAMED = frozenset({"dataset.images", "dataset.folders", "dataset.only_folders"})
"""An import names the folders, which an export may have given others."""

quietly = settings(max_examples=60, suppress_health_check=list(HealthCheck))


SQUARE = (512, 512)


def length_of(config: TrainingConfig, *, is_here: bool = True) -> Length | None:
    return Length.of(config, {SQUARE: NUM_IMAGES * config.dataset.repeats}) if is_here else None


def layout_of(config: TrainingConfig, length: Length | None) -> ExportLayout:
    return ExportLayout(
        images=config.dataset.images, regularization=config.dataset.regularization_images or "", log="/r/log",
        output="/r/model", model=config.model.path, vae=config.model.vae_path or "",
        weights=config.network.start_from or "", length=length,
    )  # fmt: skip


def after_steps(config: TrainingConfig, length: Length | None) -> dict[str, object]:
    """Length and warm-up as kohya has them: steps, where somebody could count them; steps that end it beat epochs."""
    schedule, found = config.schedule, dict[str, object]()
    if not schedule.max_steps or (length is not None and not length.ends_early):
        found["schedule.max_steps"] = 0
    steps = known_steps(config, length)
    if schedule.warmup_share and not schedule.warmup_steps and steps is not None:
        found["schedule.warmup_steps"], found["schedule.warmup_share"] = int(schedule.warmup_share * steps), 0.0
    return found


def in_kohya(config: TrainingConfig, length: Length | None) -> dict[str, object]:
    """Length and warm-up, and restarts where there are any: kohya lets other schedules swing by them."""
    restarts = config.schedule.cycles if config.schedule.name == "cosine_with_restarts" else 1
    return after_steps(config, length) | {"schedule.cycles": restarts}


@quietly
@given(plausible_configs(), st.booleans())
def test_what_the_gui_is_given_comes_back(config: TrainingConfig, is_here: bool) -> None:
    length = length_of(config, is_here=is_here)
    values = gui_settings(config, layout_of(config, length))
    errors = [finding for finding in check_gui(values) if finding.level == "error"]
    if errors or any(schedule_errors(config)):
        return
    folders = {f"{config.dataset.repeats}_{config.run.trigger}": NUM_IMAGES}
    local = GivenFiles({config.dataset.images: folders} if is_here else {})

    found = import_gui(parse_json(render_gui(values)).tree, local)

    expected = settled(config) | captions_in_kohya(config) | in_kohya(config, length)
    if config.network.kind == "dora":
        expected["network.dora_axis"] = "output"  # the GUI has no key for it
    maps = GUI.maps if is_here else GUI.maps - {"dataset.repeats", "run.trigger", "schedule.epochs"}
    if expected["schedule.max_steps"]:
        maps -= {"schedule.epochs"}  # kohya looks at the steps only
    wrong = differences(found.effective, config, expected, maps - NAMED)
    assert wrong == {}, wrong
    odd = [*found.of("unknown"), *found.of("contradictory")]
    assert odd == [], odd


@quietly
@given(plausible_configs(), st.booleans())
def test_what_sd_scripts_are_given_comes_back(config: TrainingConfig, is_here: bool) -> None:
    length = length_of(config, is_here=is_here)
    layout = layout_of(config, length)
    if any(f.level == "error" for f in check_scripts(gui_settings(config, layout))) or list(schedule_errors(config)):
        return
    draws = bool(config.sampling.prompts and config.sampling.every_epochs)
    prompts = "".join(f"{line}\n" for line in prompt_lines(config.sampling, config.dataset.resolution_px))
    tables = script_settings(config, layout, dataset="/r/dataset.toml", prompts="/r/prompts.txt" if draws else "")
    name = f"{config.dataset.images}/{config.dataset.repeats}_{config.run.trigger}"
    subset = Subset(name, config.dataset.repeats, config.run.trigger)
    dataset = render(
        "kohya/files/sd_scripts_dataset.toml.j2", head="h", settings=dataset_settings(config),
        subsets=(subset,) if is_here else (),
        alpha_mask=config.dataset.masks,
    )  # fmt: skip
    text = render("kohya/files/sd_scripts_config.toml.j2", head="h", tables=tables)

    found = import_scripts(
        parse_toml(text).tree, GivenFiles(texts={"/r/prompts.txt": prompts}), dataset=parse_toml(dataset).tree,
        launch=launch_sh(config, "config.toml"),
    )  # fmt: skip

    whole = {path: value for path, value in in_kohya(config, length).items() if "warmup" not in path}
    expected = settled(config) | captions_in_kohya(config) | whole
    if config.model.family == "sdxl":
        expected["model.clip_skip"] = 1
    maps = SCRIPTS.maps
    if not is_here:
        maps -= {"dataset.images", "dataset.repeats", "run.trigger", "dataset.mask_source"}
    if expected["schedule.max_steps"]:
        maps -= {"schedule.epochs"}
    wrong = differences(found.effective, config, expected, maps - NAMED)
    assert wrong == {}, wrong
    odd = [*found.of("unknown"), *found.of("contradictory")]
    assert odd == [], odd


@quietly
@given(plausible_configs())
def test_what_onetrainer_is_given_comes_back(config: TrainingConfig) -> None:
    layout = onetrainer_config.ExportLayout(
        home="/r/exports/onetrainer", model=config.model.path, vae=config.model.vae_path or "",
        weights=config.network.start_from or "", regularization=(),
        folders=(onetrainer_config.ConceptFolder(config.dataset.images, config.dataset.repeats),),
    )  # fmt: skip
    if config.loss.min_snr_gamma and config.loss.debiased:
        return
    draws = bool(config.sampling.prompts and config.sampling.every_epochs)
    concepts = render("files/tree.json.j2", tree=onetrainer_concepts.concept_trees(config, layout))
    samples = render("files/tree.json.j2", tree=onetrainer_concepts.sample_trees(config) if draws else [])
    text = render("files/tree.json.j2", tree=onetrainer_config.config_tree(config, layout))

    found = import_onetrainer(
        parse_json(text).tree, concepts=parse_json(concepts).tree, samples=parse_json(samples).tree
    )

    expected = settled(config) | in_onetrainer(config)
    wrong = differences(found.effective, config, expected, ONETRAINER.maps - NAMED)
    assert wrong == {}, wrong
    odd = [*found.of("unknown"), *found.of("contradictory")]
    assert odd == [], odd


def in_onetrainer(config: TrainingConfig) -> dict[str, object]:
    """What OneTrainer has in another form: one rank for all layers, one loss of huber's kind, other schedules."""
    network, schedule, optimizer = config.network, config.schedule, config.optimizer
    found: dict[str, object] = {"network.conv_rank": network.rank if network.conv_rank else 0}
    if config.loss.kind == "smooth_l1":
        found["loss.kind"] = "huber"
    if schedule.name == "polynomial":
        found["schedule.name"] = "linear"
    if schedule.name == "cosine_with_min_lr" and schedule.min_rate == 0:
        found["schedule.name"] = "cosine"
    if schedule.name == "constant_with_warmup" and not schedule.warmup_steps and not schedule.warmup_share:
        found["schedule.name"] = "constant"
    if not config.dataset.regularization_images:
        found["loss.prior_weight"] = 1.0
    if config.saving.every_steps:
        found["saving.every_epochs"] = 0
    found["optimizer.arguments"] = tuple(item for item in optimizer.arguments if not item.startswith("weight_decay"))
    if config.model.family == "sdxl":
        found["model.clip_skip"] = 1
    return found


@quietly
@given(plausible_configs())
def test_what_ai_toolkit_is_given_comes_back(config: TrainingConfig) -> None:
    config = for_ai_toolkit(config)
    name = f"{config.dataset.repeats}_{config.run.trigger}"
    pictures = tuple(PlacedImage(Path("/p") / f"{number}.png", f"{number}.png", None) for number in range(NUM_IMAGES))
    exposures = NUM_IMAGES * config.dataset.repeats
    layout = ai_toolkit_job.ExportLayout(
        home="/r/exports/ai-toolkit", model=config.model.path, vae=config.model.vae_path or "",
        weights=config.network.start_from or "", images=config.dataset.images,
        folders=(PlacedFolder(config.dataset.repeats, config.run.trigger, pictures),), regularization="",
        regular_folders=(), length=length_of(config),
    )  # fmt: skip
    text = render("files/tree.yaml.j2", head="h", tree=ai_toolkit_job.job_tree(config, layout))

    found = import_job(parse_yaml(text).tree, GivenFiles({config.dataset.images: {name: NUM_IMAGES}}))

    expected = settled(config) | in_ai_toolkit(config, layout)
    epoch = exposures / config.schedule.batch_size / 2
    if expected["schedule.max_steps"] and math.ceil(epoch * found.settings["schedule.epochs"]) == 700:
        expected |= {"schedule.max_steps": 0, "schedule.epochs": found.settings["schedule.epochs"]}  # just so many
    counts_alike = epoch.is_integer() and not expected["schedule.max_steps"]
    maps = AI_TOOLKIT.maps - (set() if counts_alike else {"schedule.epochs", "schedule.max_steps"})
    wrong = differences(found.effective, config, expected, maps - NAMED)
    assert wrong == {}, wrong
    odd = [*found.of("unknown"), *found.of("contradictory")]
    assert odd == [], odd


def for_ai_toolkit(config: TrainingConfig) -> TrainingConfig:
    """What ai-toolkit can train of it, with saves counted in one way and epochs that are longer than a step."""
    tree = config.model_dump()
    known = {"kind": tree["network"]["kind"] if config.network.kind in ("lora", "locon", "lokr") else "lora"}
    tree["network"] |= known
    tree["optimizer"] |= {"arguments": ("betas=0.9,0.99",) if config.optimizer.arguments else (), "max_grad_norm": 1.0}
    if config.optimizer.name not in ai_toolkit_words.OPTIMIZERS.written:
        tree["optimizer"]["name"] = "adamw"
    if config.schedule.name not in ai_toolkit_words.SCHEDULES.written:
        tree["schedule"]["name"] = "cosine"
    tree["schedule"] |= {
        "batch_size": 1 + config.schedule.batch_size % 5,
        "gradient_accumulation": 2,
        "min_rate": round(config.schedule.min_rate, 3),
    }
    tree["loss"]["kind"] = "l1" if config.loss.kind == "l1" else "l2"
    tree["saving"] |= {"every_steps": 0}
    return parse_config(tree)


def in_ai_toolkit(config: TrainingConfig, layout: ai_toolkit_job.ExportLayout) -> dict[str, object]:
    """What ai-toolkit has in another form: one rate, steps, warm-up in steps and with one schedule only."""
    optimizer, schedule, saving = config.optimizer, config.schedule, config.saving
    steps = ai_toolkit_job.total_steps(config, layout.length)
    rate = optimizer.unet_learning_rate
    found: dict[str, object] = {
        "optimizer.learning_rate": rate, "schedule.max_steps": steps if steps == schedule.max_steps else 0,
        "optimizer.text_encoder_learning_rate": rate if optimizer.text_encoder_learning_rate else 0.0,
        "schedule.warmup_share": 0.0, "schedule.warmup_steps": 0, "saving.keep_last": saving.keep_last,
    }  # fmt: skip
    if schedule.name == "constant_with_warmup":
        found["schedule.warmup_steps"] = schedule.warmup_steps or int(schedule.warmup_share * steps)
    if schedule.name == "cosine_with_min_lr":
        found |= {"schedule.name": "cosine", "schedule.min_rate": 0.0} if not schedule.min_rate else {}
    if saving.every_epochs * ai_toolkit_job.epoch_steps(config, layout.length) >= steps:
        found["saving.every_epochs"] = 0
    if config.memory.base_dtype in ("int8", "nf4"):
        found["memory.base_dtype"] = "bfloat16"
    return found
