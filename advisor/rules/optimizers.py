"""Each optimizer's own values: a rate, a schedule and arguments that belong to one optimizer burn or starve another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from advisor.facts import Facts
from advisor.plan import Source
from advisor.rules.rule import Advice, rule
from advisor.rules.sources import ADAMW, CAME, LION, OURS, PRODIGY, SCHEDULE_FREE, SD_SCRIPTS_SDXL
from advisor.settings.config import TrainingConfig

WARMUP_SHARE = 0.05
"""Of all steps; the rate rises over them."""


@dataclass(frozen=True)
class OptimizerDefaults:
    """What is advised for one optimizer."""

    title: str
    source: Source
    rates: tuple[float, float]
    """Least and most learning rate that makes sense for an adapter: outside of it the rate is another optimizer's."""
    rate: float | None = None
    """Its one learning rate; None: AdamW's times `rate_share`."""
    rate_share: float = 1.0
    """Of the rate that AdamW would have."""
    schedule: str = "cosine"
    why_schedule: str = ""
    """Why it has another than cosine."""
    warmup_share: float = WARMUP_SHARE
    weight_decay: float = 0.01
    tells_decay: bool = True
    """Whether its source has this decay; else it is taken from AdamW."""
    arguments: tuple[str, ...] = ()
    why_arguments: str = ""
    has_own_warmup: bool = False
    """It warms up by an argument of its own, in steps."""
    alpha_is_rank: bool = False
    """Alpha is the rank itself and not half of it."""


_ADAM_RATES = (1e-6, 3e-3)

OPTIMIZERS: Mapping[str, OptimizerDefaults] = {
    "adamw": OptimizerDefaults("AdamW", ADAMW, _ADAM_RATES),
    "adamw8bit": OptimizerDefaults("8-bit AdamW", ADAMW, _ADAM_RATES),
    "adafactor": OptimizerDefaults(
        "Adafactor", SD_SCRIPTS_SDXL, _ADAM_RATES,
        schedule="constant_with_warmup", why_schedule="a fixed rate with a warm-up, as kohya's document has Adafactor",
        tells_decay=False,
    ),
    "prodigy": OptimizerDefaults(
        "Prodigy", PRODIGY, (0.1, 10.0), rate=1.0, warmup_share=0.0,
        arguments=("safeguard_warmup=True", "use_bias_correction=True"),
        why_arguments="as its authors advise for diffusion models: its guess of the rate does not run away early",
        alpha_is_rank=True,
    ),
    "lion": OptimizerDefaults("Lion", LION, (1e-7, 3e-4), rate_share=0.2, weight_decay=0.05),
    "came": OptimizerDefaults("CAME", CAME, _ADAM_RATES),
    "schedule_free_adamw": OptimizerDefaults(
        "schedule-free AdamW", SCHEDULE_FREE, (1e-6, 1e-2),
        schedule="constant", why_schedule="this optimizer averages its own steps, which replaces a falling rate",
        warmup_share=0.0, has_own_warmup=True, tells_decay=False,
    ),
}  # fmt: skip
"""By the value of `optimizer.name`. Of the third to tenth of AdamW's rate that Lion's authors name it has a fifth, and
of the three to ten times of its decay five."""


def optimizer_defaults(config: TrainingConfig) -> OptimizerDefaults:
    """The values of the configuration's optimizer."""
    return OPTIMIZERS[config.optimizer.name]


@rule(sets="optimizer.weight_decay", source=ADAMW)
def weight_decay(_: Facts, config: TrainingConfig) -> Advice:
    """0.01; Lion five times that, since its rate is a fifth."""
    own = optimizer_defaults(config)
    if own.weight_decay > OPTIMIZERS["adamw"].weight_decay:
        reason = f"{own.title}'s lower rate would make less of it: so much more keeps weights as small as AdamW does"
        return Advice(own.weight_decay, reason, own.source)
    keeps = f"keeps the weights from growing without need, with {own.title}"
    return Advice(own.weight_decay, keeps, own.source if own.tells_decay else OURS, origin="default")


RULES = (weight_decay,)
"""What only the optimizer decides; its arguments follow from the steps (`advisor.rules.schedule`)."""
