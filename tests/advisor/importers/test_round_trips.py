from __future__ import annotations

import math

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisor.config import TrainingConfig
from advisor.importers.document import parse_json, parse_toml
from advisor.importers.kohya_gui import import_gui
from advisor.importers.onetrainer import import_onetrainer
from advisor.importers.sd_scripts import import_scripts
from advisor.importers.surroundings import Nowhere
from templates import onetrainer_settings
from templates.kohya_arguments import prompt_lines
from templates.kohya_check import findings, script_findings
from templates.kohya_gui import EXPORTER as GUI
from templates.kohya_gui import render_gui
from templates.kohya_settings import Layout, gui_settings, gui_steps
from templates.onetrainer import EXPORTER as ONETRAINER
from templates.render import render
from templates.sd_scripts import EXPORTER as SCRIPTS
from templates.sd_scripts import launch_sh
from templates.sd_scripts_settings import Subset, dataset_settings, script_settings
from tests.templates.expected import differences, plausible_configs, settled

PICTURES = 30

quietly = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def layout_of(config: TrainingConfig, exposures: int | None) -> Layout:
    return Layout(
        images=config.dataset.images, regularization=config.dataset.regularization_images or "", log="/r/log",
        output="/r/model", model=config.model.path, vae=config.model.vae_path or "",
        weights=config.network.start_from or "", exposures=exposures,
    )  # fmt: skip


def after_steps(config: TrainingConfig, exposures: int | None) -> dict[str, object]:
    """Length and warm-up as kohya has them: steps, where somebody could count them; steps that end it beat epochs."""
    schedule, found = config.schedule, dict[str, object]()
    steps = None if exposures is None else gui_steps(config, exposures)
    if schedule.max_steps and (steps is None or schedule.max_steps < steps):
        steps = schedule.max_steps
    else:
        found["schedule.max_steps"] = 0
    if schedule.warmup_share and not schedule.warmup_steps and steps is not None:
        found["schedule.warmup_steps"], found["schedule.warmup_share"] = int(schedule.warmup_share * steps), 0.0
    return found


@quietly
@given(plausible_configs(), st.booleans())
def test_what_the_gui_is_given_comes_back(config: TrainingConfig, is_here: bool) -> None:
    exposures = PICTURES * config.dataset.repeats if is_here else None
    values = gui_settings(config, layout_of(config, exposures))
    errors = [finding for finding in findings(values) if finding.level == "error"]
    if errors:
        return
    folders = {f"{config.dataset.repeats}_{config.run.trigger}": PICTURES}
    look = Nowhere({config.dataset.images: folders} if is_here else {})

    found = import_gui(parse_json(render_gui(values)).tree, look)

    expected = settled(config) | after_steps(config, exposures)
    maps = GUI.maps if is_here else GUI.maps - {"dataset.repeats", "run.trigger", "schedule.epochs"}
    if expected["schedule.max_steps"]:
        maps -= {"schedule.epochs"}  # kohya looks at the steps only
    wrong = differences(found.effective, config, expected, maps)
    assert wrong == {}, wrong
    assert not found.of("unknown")
    assert not found.of("contradictory")


@quietly
@given(plausible_configs(), st.booleans())
def test_what_sd_scripts_are_given_comes_back(config: TrainingConfig, is_here: bool) -> None:
    exposures = PICTURES * config.dataset.repeats if is_here else None
    layout = layout_of(config, exposures)
    if any(f.level == "error" for f in script_findings(gui_settings(config, layout))):
        return
    draws = bool(config.sampling.prompts and config.sampling.every_epochs)
    prompts = "".join(f"{line}\n" for line in prompt_lines(config.sampling, config.dataset.resolution_px))
    tables = script_settings(config, layout, dataset="/r/dataset.toml", prompts="/r/prompts.txt" if draws else "")
    name = f"{config.dataset.images}/{config.dataset.repeats}_{config.run.trigger}"
    subset = Subset(name, config.dataset.repeats, config.run.trigger)
    dataset = render(
        "sd_scripts_dataset.toml.j2", head="h", settings=dataset_settings(config), subsets=(subset,) if is_here else (),
        alpha_mask=config.dataset.masks,
    )  # fmt: skip
    text = render("sd_scripts_config.toml.j2", head="h", tables=tables)

    found = import_scripts(
        parse_toml(text).tree, Nowhere(texts={"/r/prompts.txt": prompts}), dataset=parse_toml(dataset).tree,
        launch=launch_sh(config, "config.toml"),
    )  # fmt: skip

    expected = settled(config)
    if config.model.family == "sdxl":
        expected["model.clip_skip"] = 1
    steps = math.inf if exposures is None else gui_steps(config, exposures)
    if not expected["schedule.max_steps"] < steps:
        expected["schedule.max_steps"] = 0
    maps = SCRIPTS.maps
    if not is_here:
        maps -= {"dataset.images", "dataset.repeats", "run.trigger", "dataset.mask_source"}
    if expected["schedule.max_steps"]:
        maps -= {"schedule.epochs"}
    wrong = differences(found.effective, config, expected, maps)
    assert wrong == {}, wrong
    assert not found.of("unknown")
    assert not found.of("contradictory")


@quietly
@given(plausible_configs())
def test_what_onetrainer_is_given_comes_back(config: TrainingConfig) -> None:
    layout = onetrainer_settings.Layout(
        home="/r/exports/onetrainer", model=config.model.path, vae=config.model.vae_path or "",
        weights=config.network.start_from or "", regularization=config.dataset.regularization_images or "",
        places=(onetrainer_settings.Place(config.dataset.images, config.dataset.repeats),),
    )  # fmt: skip
    if config.loss.min_snr_gamma and config.loss.debiased:
        return
    draws = bool(config.sampling.prompts and config.sampling.every_epochs)
    concepts = render("tree.json.j2", tree=onetrainer_settings.concept_trees(config, layout))
    samples = render("tree.json.j2", tree=onetrainer_settings.sample_trees(config) if draws else [])
    text = render("tree.json.j2", tree=onetrainer_settings.config_tree(config, layout))

    found = import_onetrainer(
        parse_json(text).tree, concepts=parse_json(concepts).tree, samples=parse_json(samples).tree
    )

    expected = settled(config) | in_onetrainer(config)
    wrong = differences(found.effective, config, expected, ONETRAINER.maps)
    assert wrong == {}, wrong
    assert not found.of("unknown")
    assert not found.of("contradictory")


def in_onetrainer(config: TrainingConfig) -> dict[str, object]:
    """What OneTrainer has in another form: one rank for all layers, one loss of huber's kind, schedules that it lacks."""
    network, schedule, optimizer = config.network, config.schedule, config.optimizer
    found: dict[str, object] = {"network.conv_rank": network.rank if network.conv_rank else 0}
    if config.loss.kind == "smooth_l1":
        found["loss.kind"] = "huber"
    if schedule.name == "polynomial":
        found["schedule.name"] = "linear"
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
