"""What any training of a flow matching base becomes in another trainer's files, and what an import makes of these."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisor.settings.config import TrainingConfig, changed, flat_settings
from templates.ai_toolkit import export_job as ai_toolkit_job
from templates.ai_toolkit.export import EXPORTER as AI_TOOLKIT
from templates.ai_toolkit.import_job import import_job
from templates.exporting.exporter import Exporter
from templates.exporting.image_folders import PlacedFolder, PlacedImage
from templates.importing.document import parse_json, parse_toml, parse_yaml
from templates.importing.flow import for_flow
from templates.importing.imported import Imported, Line
from templates.kohya.export_check import check_gui, check_scripts
from templates.kohya.export_gui import EXPORTER as GUI
from templates.kohya.export_gui import render_gui
from templates.kohya.export_gui_values import gui_settings
from templates.kohya.export_layout import ExportLayout
from templates.kohya.export_schedule import schedule_errors
from templates.kohya.export_script_tables import Subset, dataset_settings, script_settings
from templates.kohya.export_scripts import EXPORTER as SCRIPTS
from templates.kohya.export_scripts import launch_sh
from templates.kohya.import_gui import import_gui
from templates.kohya.import_scripts import import_scripts
from templates.kohya.prompt_lines import prompt_lines
from templates.musubi import export_tables as musubi_tables
from templates.musubi.export import EXPORTER as MUSUBI_TUNER
from templates.musubi.export import dataset_text, launch_words
from templates.musubi.export import launch_sh as musubi_launch_sh
from templates.musubi.export_coverage import errors as musubi_errors
from templates.musubi.import_config import import_musubi
from templates.musubi.prompt_lines import prompt_lines as musubi_prompt_lines
from templates.onetrainer import export_concepts as onetrainer_concepts
from templates.onetrainer import export_config as onetrainer_config
from templates.onetrainer.export import EXPORTER as ONETRAINER
from templates.onetrainer.import_config import import_onetrainer
from templates.render import render
from tests.support.expected import captions_in_kohya, differences, settled
from tests.support.flow_exports import FOLDERS, plausible_flow
from tests.support.given_files import GivenFiles
from tests.templates.importing.test_round_trips import (
    NAMED,
    NUM_IMAGES,
    for_ai_toolkit,
    in_kohya,
    in_onetrainer,
    length_of,
)

quietly = settings(max_examples=15, suppress_health_check=list(HealthCheck))
ALWAYS = {"sampling.sampler": "euler"}
NOT_OF_ANIMA = ALWAYS | {"model.clip_skip": 1, "dataset.max_tokens": 75, "dataset.weighted_captions": False}


def kohya_layout(config: TrainingConfig) -> ExportLayout:
    model = config.model
    return ExportLayout(
        images=config.dataset.images, regularization="", log="/r/log", output="/r/model", model=model.path,
        vae=model.vae_path or "", weights=config.network.start_from or "", length=length_of(config),
        text_encoder=model.text_encoder_path or "",
    )  # fmt: skip


def in_script_times(config: TrainingConfig) -> dict[str, Any]:
    """A mean is a shift there."""
    loss = config.loss
    if loss.timestep_sampling == "uniform" or loss.timestep_shift == "auto":
        return {"loss.timestep_mean": 0.0}
    shift = round(loss.timestep_shift * math.exp(loss.timestep_mean), 9)
    return {"loss.timestep_mean": 0.0, "loss.timestep_shift": shift}


def wrong(found: Imported, config: TrainingConfig, expected: dict[str, Any], exporter: Exporter) -> dict[str, Any]:
    maps = exporter.maps_for(config.model.family) - NAMED
    if expected["schedule.max_steps"]:
        maps -= {"schedule.epochs"}
    return differences(for_flow(found).effective, config, expected, maps)


def odd(found: Imported) -> list[Line]:
    return [*found.of("unknown"), *found.of("contradictory")]


@quietly
@given(plausible_flow(kinds=("lora", "loha", "lokr")))
def test_what_the_gui_is_given_comes_back(config: TrainingConfig) -> None:
    values = gui_settings(config, kohya_layout(config))
    if any(finding.level == "error" for finding in check_gui(values)) or any(schedule_errors(config)):
        return
    local = GivenFiles({config.dataset.images: {f"{config.dataset.repeats}_{config.run.trigger}": NUM_IMAGES}})

    found = import_gui(parse_json(render_gui(values)).tree, local)

    expected = settled(config) | captions_in_kohya(config) | in_kohya(config, length_of(config))
    expected |= NOT_OF_ANIMA | in_script_times(config)
    assert wrong(found, config, expected, GUI) == {}
    assert odd(found) == []


@quietly
@given(plausible_flow())
def test_what_sd_scripts_are_given_comes_back(config: TrainingConfig) -> None:
    layout = kohya_layout(config)
    if any(f.level == "error" for f in check_scripts(gui_settings(config, layout))) or any(schedule_errors(config)):
        return
    draws = bool(config.sampling.prompts and config.sampling.every_epochs)
    prompts = "".join(f"{line}\n" for line in prompt_lines(config.sampling, config.dataset.resolution_px))
    preset = "" if config.network.kind == "lora" else "/r/lycoris.toml"
    tables = script_settings(
        config, layout, dataset="/r/dataset.toml", prompts="/r/prompts.txt" if draws else "", preset=preset
    )
    name = f"{config.dataset.images}/{config.dataset.repeats}_{config.run.trigger}"
    dataset = render(
        "kohya/files/sd_scripts_dataset.toml.j2", head="h", settings=dataset_settings(config),
        subsets=(Subset(name, config.dataset.repeats, config.run.trigger),), alpha_mask=config.dataset.masks,
    )  # fmt: skip
    text = render("kohya/files/sd_scripts_config.toml.j2", head="h", tables=tables)
    layers = "llm_adapter.blocks" if config.network.text_adapter else "Attention"

    found = import_scripts(
        parse_toml(text).tree, GivenFiles(texts={"/r/prompts.txt": prompts, "/r/lycoris.toml": layers}),
        dataset=parse_toml(dataset).tree, launch=launch_sh(config, "config.toml"),
    )  # fmt: skip

    whole = {path: value for path, value in in_kohya(config, length_of(config)).items() if "warmup" not in path}
    expected = settled(config) | captions_in_kohya(config) | whole | NOT_OF_ANIMA | in_script_times(config)
    assert wrong(found, config, expected, SCRIPTS) == {}
    assert odd(found) == []


FAMILIES = st.sampled_from(["anima", "z_image"])


@quietly
@given(FAMILIES.flatmap(plausible_flow))
def test_what_onetrainer_is_given_comes_back(config: TrainingConfig) -> None:
    layout = onetrainer_config.ExportLayout(
        home="/r/exports/onetrainer", model=config.model.path, vae=config.model.vae_path or "",
        weights=config.network.start_from or "", regularization=(),
        folders=(onetrainer_config.ConceptFolder(config.dataset.images, config.dataset.repeats),),
    )  # fmt: skip
    draws = bool(config.sampling.prompts and config.sampling.every_epochs)
    concepts = render("files/tree.json.j2", tree=onetrainer_concepts.concept_trees(config, layout))
    samples = render("files/tree.json.j2", tree=onetrainer_concepts.sample_trees(config) if draws else [])
    text = render("files/tree.json.j2", tree=onetrainer_config.config_tree(config, layout))

    found = import_onetrainer(
        parse_json(text).tree, concepts=parse_json(concepts).tree, samples=parse_json(samples).tree
    )

    expected = settled(config) | in_onetrainer(config) | ALWAYS | {"dataset.max_tokens": 75, "memory.cache_text": True}
    if not _varies_in_onetrainer(config):  # where only what it does not have made captions another each time
        expected["memory.text_variants"] = for_flow(found).effective["memory.text_variants"]
    assert wrong(found, config, expected, ONETRAINER) == {}
    assert odd(found) == []


def _varies_in_onetrainer(config: TrainingConfig) -> bool:
    return config.dataset.shuffle_captions or config.dataset.tag_dropout > 0


@quietly
@given(FAMILIES.flatmap(lambda family: plausible_flow(family, kinds=("lora", "lokr"))), st.sampled_from([1.0, 3.0]))
def test_what_ai_toolkit_is_given_comes_back(config: TrainingConfig, shift: float) -> None:
    config = for_ai_toolkit(config)
    is_normal = config.loss.timestep_sampling == "logit_normal"
    config = changed(config, "loss.timestep_shift", 1.0 if is_normal else shift)
    if shift != 1:
        config = changed(config, "loss.timestep_weighting", "none")
    folder = FOLDERS[config.model.family]
    config = changed(changed(config, "model.path", folder), "network.alpha", float(config.network.rank))
    name = f"{config.dataset.repeats}_{config.run.trigger}"
    pictures = tuple(PlacedImage(Path("/p") / f"{number}.png", f"{number}.png", None) for number in range(NUM_IMAGES))
    layout = ai_toolkit_job.ExportLayout(
        home="/r/exports/ai-toolkit", model=folder, vae="", weights=config.network.start_from or "",
        images=config.dataset.images, folders=(PlacedFolder(config.dataset.repeats, config.run.trigger, pictures),),
        regularization="", regular_folders=(), length=length_of(config),
    )  # fmt: skip
    local = GivenFiles({config.dataset.images: {name: NUM_IMAGES * config.dataset.repeats}})

    found = import_job(
        parse_yaml(render("files/tree.yaml.j2", head="h", tree=ai_toolkit_job.job_tree(config, layout))).tree, local
    )

    effective, expected = for_flow(found).effective, dict(flat_settings(config))
    for path in (
        "model.path", "model.family", "network.rank", "network.alpha", "network.kind", "network.text_adapter",
        "network.factor", "loss.timestep_sampling", "loss.timestep_shift", "memory.cache_text",
        "optimizer.unet_learning_rate", "dataset.shuffle_captions", "dataset.tag_dropout", "dataset.caption_dropout",
        "model.prediction",
    ):  # fmt: skip
        if path == "network.factor" and config.network.kind != "lokr":
            continue
        assert effective[path] == expected[path], path
    bell = config.loss.timestep_weighting == "bell" and not is_normal
    assert effective["loss.timestep_weighting"] == ("bell" if bell else "none")
    assert odd(found) == []
    assert AI_TOOLKIT.maps_for("anima") >= {"loss.timestep_sampling", "network.text_adapter"}


@quietly
@given(plausible_flow("z_image", kinds=("lora", "loha", "lokr")))
def test_what_musubi_tuner_is_given_comes_back(config: TrainingConfig) -> None:
    config = changed(config, "loss.kind", "l2")
    layout = kohya_layout(config)
    if any(musubi_errors(config, layout)):
        return
    draws = bool(config.sampling.prompts and config.sampling.every_epochs)
    lines = musubi_prompt_lines(config.sampling, config.dataset.resolution_px, 3.0)
    tables = musubi_tables.config_tables(
        config, layout, dataset="/r/dataset.toml", prompts="/r/prompts.txt" if draws else ""
    )
    folder = musubi_tables.DatasetFolder(config.dataset.images, "/r/cache", config.dataset.repeats)
    text = render("kohya/files/sd_scripts_config.toml.j2", head="h", tables=tables)
    commands = launch_words(config, layout, "/r/dataset.toml", "/r/config.toml")
    local = GivenFiles(
        {config.dataset.images: {"p": NUM_IMAGES}}, texts={"/r/prompts.txt": "".join(f"{line}\n" for line in lines)}
    )

    found = import_musubi(
        parse_toml(text).tree, local, dataset=parse_toml(dataset_text(config, (folder,))).tree,
        launch=musubi_launch_sh(config, commands),
    )  # fmt: skip

    whole = {path: value for path, value in in_kohya(config, length_of(config)).items() if "warmup" not in path}
    expected = settled(config) | whole | ALWAYS | in_script_times(config) | in_musubi_tuner(config)
    assert wrong(found, config, expected, MUSUBI_TUNER) == {}
    assert odd(found) == []


def in_musubi_tuner(config: TrainingConfig) -> dict[str, Any]:
    """One rate, latents and text kept, names as kohya's; guidance from a tenth over 2 on."""
    memory, sampling = config.memory, config.sampling
    found: dict[str, Any] = {
        "memory.cache_text": True, "memory.base_dtype": "int8" if memory.quantised else memory.compute_dtype,
        "memory.swapped_blocks": min(memory.swapped_blocks, 28), "saving.layer_names": "kohya",
        "dataset.max_tokens": 75, "run.trigger": "",
    }  # fmt: skip
    if sampling.prompts and sampling.every_epochs and sampling.guidance <= 2:
        found["sampling.guidance"] = 1.0
    return found
