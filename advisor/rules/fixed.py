"""Everything else: settings that beginners leave alone, each with what leaving it alone means."""

from __future__ import annotations

from typing import Any

from advisor.facts import Facts
from advisor.families import family
from advisor.plan import Source
from advisor.rules.defaults_table import defaults_for
from advisor.rules.noise import NO_LEVELS, NO_OFFSET, NO_SNR, off_for_flow
from advisor.rules.rule import Advice, Rule, rule
from advisor.rules.sources import (
    CIVITAI,
    KOHYA_GUI,
    LYCORIS,
    ONETRAINER,
    OURS,
    SD_SCRIPTS,
    TUTORIAL,
)  # fmt: skip
from advisor.settings.config import NUM_TRAIN_TIMESTEPS, TrainingConfig
from advisor.units import shown


def plain(path: str, value: Any, reason: str, source: Source = SD_SCRIPTS) -> Rule:
    """A rule that gives the same whatever the case; `{...}` in the reason is filled from facts and settings so far."""

    def judge(facts: Facts, config: TrainingConfig) -> Advice:
        words = {
            "images": f"{facts.dataset.num_images:,}",
            "rank": config.network.rank,
            "trigger": config.run.trigger,
            "subject": config.run.subject,
            "optimizer": config.optimizer.name,
            "denoiser": defaults_for(config).denoiser,
            "epochs": config.schedule.epochs,
        }
        return Advice(value, reason.format(**words), origin="default")

    judge.__doc__ = f"{shown(value)}: {reason}."
    return Rule(path, source, judge)


@rule(sets="saving.diffusers_copy", source=OURS)
def diffusers_copy(_: Facts, config: TrainingConfig) -> Advice:
    """Off: what programs read is written already."""
    if family(config.model.family).layer_names == "original":
        return Advice(False, "the names in the file are read by ComfyUI, Forge and diffusers alike", origin="default")
    reason = "kohya's names are read by every user interface, and by diffusers too"
    return Advice(False, reason, origin="default")


@rule(sets="sampling.steps", source=OURS)
def drawing_steps(_: Facts, config: TrainingConfig) -> Advice:
    """The table's: 20, more where the base is drawn with more."""
    steps = defaults_for(config).drawing.steps
    return Advice(steps, "where pictures are drawn: enough to judge by, quickly", origin="default")


@rule(sets="sampling.guidance", source=OURS)
def drawing_guidance(_: Facts, config: TrainingConfig) -> Advice:
    """The table's: 7, or what the base's makers draw with."""
    drawing = defaults_for(config).drawing
    return Advice(drawing.guidance, f"where pictures are drawn: {drawing.why_guidance}", origin="default")


@rule(sets="sampling.sampler", source=OURS)
def drawing_sampler(_: Facts, config: TrainingConfig) -> Advice:
    """ddim; euler for flow matching."""
    drawing = defaults_for(config).drawing
    return Advice(drawing.sampler, f"where pictures are drawn: {drawing.why_sampler}", origin="default")


DATASET = (
    plain("dataset.only_folders", False, "all {images} pictures below your folder are trained", OURS),
    plain("dataset.bucket_upscale", False, "small pictures are not enlarged: blur would be learned as the {subject}"),
    plain("dataset.keep_tokens_separator", "", "no mark in the captions says what stays in front"),
    plain("dataset.wildcards", False, "captions are taken as they are; braces in them mean nothing"),
    plain("dataset.weighted_captions", False, "captions are taken as they are; (tag:1.2) in them means nothing"),
    plain("dataset.caption_dropout", 0.0, "every picture is always learned with its caption"),
    plain("dataset.tag_dropout", 0.0, "every tag stays, so that what is tagged can be changed by tags later"),
    plain("dataset.flip", False, "a parting or a patch on one side would be learned on both", CIVITAI),
    plain("dataset.random_crop", False, "the middle is kept, so that faces stay in and each picture is encoded once"),
    plain("dataset.regularization_images", None, "they would double the time; {images} pictures do without", OURS),
    plain("dataset.regularization_folders", (), "only read where there are regularisation pictures", OURS),
    plain("dataset.masks", False, "the whole picture counts, as captions describe the whole picture"),
    plain("dataset.mask_source", "alpha", "without effect while masks are off"),
)  # fmt: skip
"""Pictures and captions."""

NETWORK = (
    plain("network.dropout", 0.0, "nothing is left out: {images} pictures are learned faster so", LYCORIS),
    plain("network.rank_dropout", 0.0, "all of rank {rank} learns in every step", LYCORIS),
    plain("network.module_dropout", 0.0, "all layers learn in every step", LYCORIS),
    plain("network.max_norm", 0.0, "no limit: rate, alpha and decay keep weights in bounds already", KOHYA_GUI),
    plain("network.block_ranks", (), "rank {rank} in every block; which needs more cannot be known before", KOHYA_GUI),
    plain("network.factor", -1, "only LoKr reads it: -1 gives its smallest file", LYCORIS),
    plain("network.start_from", None, "starts from nothing, so that only your {images} pictures are in it", OURS),
    plain("network.text_adapter", False, "the way captions are read stays the base model's; small sets spoil it", OURS),
    plain("network.resize_start", False, "only read where a LoRA is gone on from: it keeps its own rank", OURS),
)  # fmt: skip
"""The adapter."""

OPTIMIZER = (
    plain("optimizer.block_learning_rates", (), "one rate for all blocks of the {denoiser}", KOHYA_GUI),
    plain("optimizer.max_grad_norm", 1.0, "one odd picture cannot tear the weights: gradients are cut to length 1"),
)  # fmt: skip
"""How weights move."""

SCHEDULE = (
    plain("schedule.cycles", 1, "only cosine_with_restarts reads it; one fall, no restart"),
    plain("schedule.power", 1.0, "only polynomial reads it; 1 is a straight line"),
    plain("schedule.min_rate", 0.0, "a rate that falls ends at 0, so that the last steps are the calmest"),
)  # fmt: skip
"""How the rate moves."""

LOSS = (
    plain("loss.kind", "l2", "the plain square that the base itself was trained with"),
    plain("loss.huber_c", 0.1, "only huber and smooth_l1 read it"),
    plain("loss.huber_schedule", "snr", "only huber and smooth_l1 read it"),
    off_for_flow(
        plain("loss.debiased", False, "another weighting of the timesteps, to be taken instead of min-SNR"),
        False, NO_SNR,
    ),
    off_for_flow(
        plain("loss.adaptive_noise_scale", 0.0, "where there is a noise offset, every picture has the same"),
        0.0, NO_OFFSET,
    ),
    off_for_flow(
        plain("loss.multires_iterations", 0, "one level of noise; coarser ones fight with an offset", KOHYA_GUI),
        0, NO_LEVELS,
    ),
    plain("loss.multires_discount", 0.3, "only read where there are coarser levels of noise", KOHYA_GUI),
    plain("loss.input_perturbation", 0.0, "the noisy picture is shown as it will be when drawing"),
    plain("loss.min_timestep", 0, "from step 0 of the noise on: the faintest teaches fine detail"),
    plain("loss.max_timestep", NUM_TRAIN_TIMESTEPS,
          "up to all 1,000 steps of noise: the strongest teaches composition"),
    plain("loss.prior_weight", 1.0, "only read where there are regularisation pictures"),
    plain("loss.ema", False, "every epoch is kept instead: choose the best rather than the mean", ONETRAINER),
    plain("loss.ema_decay", 0.999, "only read where an average is kept", ONETRAINER),
)  # fmt: skip
"""What is measured."""

SAVING = (
    plain("saving.every_epochs", 1, "each of {epochs} epochs is kept: the more, the finer your choice", TUTORIAL),
    plain("saving.every_steps", 0, "epochs are saved; steps between them would only fill the disk", OURS),
    plain("saving.keep_last", 0, "all are kept, since the best is often not the last", OURS),
    plain("saving.layer_names", "usual", "the names that programs which draw with this family read", OURS),
    diffusers_copy,
    plain("saving.state_every_minutes", 0, "each epoch's end is soon enough to go on from", OURS),
    drawing_steps,
    drawing_guidance,
    drawing_sampler,
    plain("sampling.seed", 42, "the same noise at each epoch, so that only the LoRA differs", OURS),
    plain("validation.share", 0.0, "all {images} pictures are learned from; holding some out would cost detail", OURS),
    plain("validation.every_epochs", 1, "only read where pictures are held out", OURS),
    plain("run.seed", 42, "a fixed start, so that it can be repeated; 0 would mean random to kohya", KOHYA_GUI),
    plain("run.wandb_project", "", "nothing is sent anywhere unless you ask for it; TensorBoard's file is here", OURS),
)  # fmt: skip
"""What is kept and looked at."""
