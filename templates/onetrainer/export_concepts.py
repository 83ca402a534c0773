"""A configuration as the trees of OneTrainer's `concepts.json` (folders of images) and `samples.json`."""

from __future__ import annotations

from typing import Any

from advisor.settings.config import TrainingConfig
from templates.onetrainer.export_config import ConceptFolder, ExportLayout
from templates.onetrainer.export_flow import flow_base
from templates.onetrainer.words import REGULARIZATION, SAMPLERS

Tree = dict[str, Any]
CONCEPT_VERSION, SAMPLE_VERSION = 2, 0
"""Without these OneTrainer takes a file for an old one and changes it."""


def concept_trees(config: TrainingConfig, layout: ExportLayout) -> list[Tree]:
    """`concepts.json`: one for each folder."""
    name = config.run.trigger or config.saving.name
    found = [_concept(config, name, folder) for folder in layout.folders]
    of_class = {"loss_weight": config.loss.prior_weight}
    return found + [_concept(config, REGULARIZATION, folder) | of_class for folder in layout.regularization]


def sample_trees(config: TrainingConfig) -> list[Tree]:
    """`samples.json`: one for each prompt."""
    sampling, side = config.sampling, config.dataset.resolution_px
    return [
        {
            "__version": SAMPLE_VERSION, "enabled": True, "prompt": prompt, "negative_prompt": sampling.negative,
            "width": side, "height": side, "seed": (sampling.seed + number) % 2**32, "random_seed": False,
            "diffusion_steps": sampling.steps, "cfg_scale": sampling.guidance,
            "noise_scheduler": SAMPLERS.theirs(sampling.sampler),
        }
        for number, prompt in enumerate(sampling.prompts)
    ]  # fmt: skip


def _concept(config: TrainingConfig, name: str, folder: ConceptFolder) -> Tree:
    dataset = config.dataset
    return {
        "__version": CONCEPT_VERSION,
        "name": name,
        "path": folder.path,
        "enabled": True,
        "type": "STANDARD",
        "include_subdirectories": folder.recursive,
        "balancing": float(folder.repeats),
        "balancing_strategy": "REPEATS",
        "loss_weight": 1.0,
        **({} if flow_base(config) is None else {"text_variations": max(1, config.memory.text_variants)}),
        "image": {
            "__version": 0,
            "enable_crop_jitter": dataset.random_crop,
            "enable_random_flip": dataset.flip,
        },
        "text": {
            "__version": 0,
            "prompt_source": "sample",
            "enable_tag_shuffling": dataset.shuffle_captions,
            "tag_delimiter": ",",
            "keep_tags_count": dataset.keep_tokens,
            "tag_dropout_enable": dataset.tag_dropout > 0,
            "tag_dropout_mode": "RANDOM",
            "tag_dropout_probability": dataset.tag_dropout,
        },
    }
