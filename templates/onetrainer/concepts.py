"""OneTrainer's concepts (folders of pictures) and samples: pure, no file is touched."""

from __future__ import annotations

from typing import Any

from advisor.settings.config import TrainingConfig
from templates.onetrainer.settings import REGULARIZATION, SAMPLERS, Layout, Place

Tree = dict[str, Any]
CONCEPT_VERSION, SAMPLE_VERSION = 2, 0
"""Without these OneTrainer takes a file for an old one and changes it."""


def concept_trees(config: TrainingConfig, layout: Layout) -> list[Tree]:
    """`concepts.json`: one for each folder."""
    name = config.run.trigger or config.saving.name
    found = [_concept(config, name, place) for place in layout.places]
    if layout.regularization:
        place = Place(layout.regularization, 1, recursive=True)
        found.append(_concept(config, REGULARIZATION, place) | {"loss_weight": config.loss.prior_weight})
    return found


def sample_trees(config: TrainingConfig) -> list[Tree]:
    """`samples.json`: one for each prompt."""
    sampling, side = config.sampling, config.dataset.resolution_px
    return [
        {
            "__version": SAMPLE_VERSION, "enabled": True, "prompt": prompt, "negative_prompt": sampling.negative,
            "width": side, "height": side, "seed": (sampling.seed + number) % 2**32, "random_seed": False,
            "diffusion_steps": sampling.steps, "cfg_scale": sampling.guidance,
            "noise_scheduler": SAMPLERS[sampling.sampler],
        }
        for number, prompt in enumerate(sampling.prompts)
    ]  # fmt: skip


def _concept(config: TrainingConfig, name: str, place: Place) -> Tree:
    dataset = config.dataset
    return {
        "__version": CONCEPT_VERSION,
        "name": name,
        "path": place.path,
        "enabled": True,
        "type": "STANDARD",
        "include_subdirectories": place.recursive,
        "balancing": float(place.repeats),
        "balancing_strategy": "REPEATS",
        "loss_weight": 1.0,
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
