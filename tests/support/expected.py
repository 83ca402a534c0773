"""What of a configuration comes back from another trainer's files; what says nothing there is as it was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from advisor.settings.config import LossConfig, SamplingConfig, TrainingConfig, flat_settings, parse_config
from templates.exporting.derived import conv_alpha
from tests.support.export_strategies import configs

SAMPLING, LOSS = SamplingConfig(), LossConfig()


def settled(config: TrainingConfig) -> dict[str, Any]:
    """Every setting, those without effect at what they say when they say nothing."""
    found = dict(flat_settings(config))
    network, schedule, optimizer = config.network, config.schedule, config.optimizer
    if network.kind in ("lora", "locon"):
        found["network.kind"] = "locon" if network.conv_rank else "lora"
    found["dataset.prepend_trigger"] = False  # it stands in the captions that are written
    found["network.conv_alpha"] = conv_alpha(network) if network.conv_rank else 0.0
    if network.kind != "lokr":
        found["network.factor"] = -1
    if network.kind != "dora":
        found["network.dora_axis"] = "input"
    found |= _settled_loss(config.loss)
    if schedule.warmup_steps:
        found["schedule.warmup_share"] = 0.0
    if schedule.name not in ("cosine_with_min_lr", "warmup_stable_decay"):
        found["schedule.min_rate"] = 0.0
    if not config.sampling.prompts or not config.sampling.every_epochs:
        found |= {f"sampling.{name}": value for name, value in SAMPLING.model_dump().items()}
        found["sampling.prompts"] = ()
    if not config.saving.every_epochs and not config.saving.every_steps:
        found["saving.keep_last"] = 0
    if config.validation.share in (0, 1):
        found |= {"validation.share": 0.0, "validation.every_epochs": 1}
    if not config.dataset.masks:
        found["dataset.mask_source"] = "alpha"
    decay = [item for item in optimizer.arguments if item.startswith("weight_decay=")]
    if decay:
        found["optimizer.weight_decay"] = float(decay[-1].partition("=")[2])
        found["optimizer.arguments"] = tuple(item for item in optimizer.arguments if item not in decay)
    return found


def _settled_loss(loss: LossConfig) -> dict[str, Any]:
    found = dict[str, Any]()
    if not loss.multires_iterations:
        found["loss.multires_discount"] = LOSS.multires_discount
    if loss.timestep_sampling == "uniform":
        found |= {"loss.timestep_mean": LOSS.timestep_mean, "loss.timestep_scale": LOSS.timestep_scale}
    return found


def captions_in_kohya(config: TrainingConfig) -> dict[str, Any]:
    """Drawing lines and reading {a|b} are one switch there; lines that are joined are written as one."""
    draws = config.dataset.wildcards or config.dataset.caption_lines == "random"
    return {"dataset.wildcards": draws, "dataset.caption_lines": "random" if draws else "first"}


def differences(
    settings: Mapping[str, Any], config: TrainingConfig, expected: Mapping[str, Any], maps: frozenset[str]
) -> dict[str, tuple[Any, Any]]:
    """(imported, expected) of the settings that were mapped and are not the same; ours where an import says nothing."""
    blank = dict(flat_settings(_blank(config)))
    pairs = {path: (settings.get(path, blank[path]), expected[path]) for path in maps}
    return {path: pair for path, pair in pairs.items() if pair[0] != pair[1]}


def _blank(config: TrainingConfig) -> TrainingConfig:
    return parse_config(
        {
            "model": {"path": config.model.path, "family": config.model.family},
            "dataset": {"images": config.dataset.images},
            "saving": {"name": config.saving.name},
        }
    )


WORDS = st.from_regex(r"[a-z0-9_]{1,12}", fullmatch=True)
PATHS = st.from_regex(r"/[a-z0-9_]{1,10}/[a-z0-9_ ]{0,10}[a-z]", fullmatch=True)


@st.composite
def plausible_configs(draw: st.DrawFn, *, families: tuple[str, ...] = ("sd1", "sd2", "sdxl")) -> TrainingConfig:
    """Any configuration that kohya accepts, with names and paths as people have them."""
    tree = draw(configs).model_dump()
    for group, limits in tree.items():
        assert isinstance(limits, dict), group
    family = draw(st.sampled_from(families))
    words = st.lists(WORDS, min_size=1, max_size=4).map(", ".join)
    tree["model"] |= {
        "family": family, "path": draw(PATHS), "vae_path": draw(st.none() | PATHS), "text_encoder_path": None,
        "prediction": draw(st.sampled_from(["epsilon", "v_prediction"])),
    }  # fmt: skip
    if family == "sdxl":
        tree["model"]["clip_skip"] = 1
    sides = draw(st.sampled_from([(256, 512, 1024), (512, 512, 512), (64, 1024, 4096), (256, 640, 1024)]))
    tree["dataset"] |= dict(zip(("min_bucket_px", "resolution_px", "max_bucket_px"), sides, strict=True))
    tree["dataset"] |= {
        "images": draw(PATHS), "folders": (), "only_folders": False, "regularization_folders": (),
        "repeats": draw(st.integers(1, 999)), "bucket_step_px": 64,
        "keep_tokens": draw(st.integers(0, 32)), "keep_tokens_separator": draw(st.sampled_from(["", "sep", "a:b"])),
        "regularization_images": None, "mask_source": "alpha",
    }  # fmt: skip
    tree["network"] |= _network(draw)
    tree["optimizer"] |= {
        "arguments": draw(st.sampled_from([(), ("betas=0.9,0.99",), ("weight_decay=0.5", "eps=1e-08")])),
        "block_learning_rates": (), "unet_learning_rate": draw(st.floats(1e-6, 1.0)),
        "text_encoder_learning_rate": draw(st.floats(0, 1.0)), "learning_rate": draw(st.floats(1e-6, 1.0)),
    }  # fmt: skip
    tree["schedule"] |= _schedule(draw)
    tree["loss"] |= {
        "adaptive_noise_scale": 0.0, "huber_c": draw(st.floats(0.01, 1.0)), "zero_terminal_snr": draw(st.booleans()),
        "min_timestep": draw(st.integers(0, 400)), "max_timestep": draw(st.integers(401, 1000)),
        "timestep_mean": draw(st.integers(-8, 8)) / 4, "timestep_scale": draw(st.integers(1, 16)) / 8,
    }  # fmt: skip
    tree["memory"] |= {
        "text_variants": 0,
        "checkpointed_blocks": 0,
        "encode_slices": 1,
        "decode_slices": 1,
        "swapped_blocks": 0,
        "cache_text": False,
        "cache_latents": not tree["dataset"]["random_crop"],
    }
    tree["machine"] |= {"cpu_threads": draw(st.integers(1, 64)), "gpu_uuid": draw(st.sampled_from(["", "GPU-1-2"]))}
    tree["saving"] |= {"name": draw(WORDS)}
    tree["sampling"] |= {
        "prompts": draw(st.lists(words, max_size=3)), "negative": draw(st.just("") | words),
        "guidance": draw(st.integers(0, 2000)) / 100, "sampler": draw(st.sampled_from(["ddim", "euler", "dpmpp_2m"])),
    }  # fmt: skip
    tree["validation"] |= {"every_epochs": draw(st.integers(1, 99))}
    tree["run"] |= {"seed": draw(st.integers(1, 2**31)), "trigger": draw(WORDS)}
    tree["run"]["wandb_project"] = draw(st.just("") | WORDS)
    return parse_config(tree)


def _network(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["lora", "locon", "loha", "lokr", "dora"]))
    convolutions = draw(st.integers(0, 512))
    return {
        "kind": kind, "rank": draw(st.integers(1, 512)), "alpha": draw(st.integers(1, 1024)) / 2,
        "conv_rank": convolutions, "conv_alpha": float(draw(st.integers(1, 512))), "block_ranks": (),
        "factor": draw(st.integers(-1, 64)), "start_from": draw(st.none() | PATHS),
        "dora_axis": draw(st.sampled_from(["input", "output"])),
    }  # fmt: skip


def _schedule(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(
        st.sampled_from(["constant", "constant_with_warmup", "linear", "cosine", "polynomial", "cosine_with_min_lr"])
    )
    warms = name != "constant"
    return {
        "name": name, "warmup_steps": draw(st.integers(0, 500)) if warms else 0,
        "warmup_share": draw(st.integers(0, 99)) / 100 if warms else 0.0, "batch_size": draw(st.integers(1, 64)),
        "gradient_accumulation": draw(st.integers(1, 120)), "epochs": draw(st.integers(1, 500)),
        "max_steps": draw(st.sampled_from([0, 0, 700])),
    }  # fmt: skip
