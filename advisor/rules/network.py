"""The LoRA itself: how much it can hold, and how strongly it speaks."""

from __future__ import annotations

from advisor.facts import Facts
from advisor.families import family
from advisor.rules.defaults_table import WITHOUT_TUTORIAL, defaults_for
from advisor.rules.optimizers import optimizer_defaults
from advisor.rules.rule import Advice, rule
from advisor.rules.sources import COLAB_XL, DORA, LYCORIS, NOOBAI, OURS, TUTORIAL
from advisor.settings.config import TrainingConfig
from advisor.units import counted

LADDER = (16, 32, 64, 128)
"""The ranks that rules choose from."""

WHAT_A_RANK_HOLDS = {
    16: "a face and a costume, and stays flexible",
    32: "a face and a costume",
    64: "several outfits and angles",
    128: "all the detail of a large set",
}
"""For the sentence to the user."""

STYLE_RANK = 16
"""What the notebooks take for a style, whatever the number of pictures."""


@rule(sets="network.kind", source=TUTORIAL)
def kind(_: Facts, config: TrainingConfig) -> Advice:
    """LoRA for a character, LoCon for a style where the base has convolutions."""
    if config.run.subject == "style" and not family(config.model.family).has_convolutions:
        return Advice("lora", "a LoCon would adapt convolutions too, of which this base has none", OURS)
    if config.run.subject == "style":
        reason = "a style lives in textures too, which the convolutions draw: LoCon adapts these"
        return Advice("locon", reason, defaults_for(config).notebook)
    return Advice("lora", "the plain kind, which the tutorial trains and every program loads", origin="default")


@rule(sets="network.rank", source=TUTORIAL)
def rank(facts: Facts, config: TrainingConfig) -> Advice:
    """By the number of pictures where the table says so; 16 for a style."""
    table, number = defaults_for(config), facts.dataset.num_images
    if config.run.subject == "style":
        reason = f"{STYLE_RANK} holds lines, colours and shading; more would learn what the pictures show as well"
        return Advice(STYLE_RANK, reason, table.notebook)
    value = next(value for least, value in table.ranks if number >= least)
    if config.run.goal == "flexible" and value > LADDER[0]:
        value = LADDER[LADDER.index(value) - 1]
        return Advice(
            value, f"a step below what {counted(number, 'picture')} would get: fewer details, easier to restyle"
        )
    if config.run.goal == "flexible":
        return Advice(value, f"{value} is the flexible rank already: nothing is lowered", OURS)
    holds = f"{counted(number, 'picture')}: {value} holds {WHAT_A_RANK_HOLDS[value]}"
    if len(table.ranks) == 1 and config.model.family in WITHOUT_TUTORIAL:
        return Advice(value, f"{holds}; those who train {table.title} most stay at {value}", table.source)
    if len(table.ranks) == 1:
        return Advice(value, f"{holds}; the tutorial goes by pictures, the notebook stays at {value}", table.source)
    most = table.ranks[0][1]
    if most < LADDER[-1]:
        return Advice(
            value, f"{holds}; {table.title} has more layers than SD1.x, so {most} is the most unless you ask", OURS
        )
    return Advice(value, holds)


@rule(sets="network.alpha", source=TUTORIAL)
def alpha(_: Facts, config: TrainingConfig) -> Advice:
    """Half the rank; the rank itself with Prodigy, and where the table says so."""
    own, table = optimizer_defaults(config), defaults_for(config)
    if own.alpha_is_rank:
        return Advice(float(config.network.rank), f"equal to the rank: {own.title} finds how strong to step", NOOBAI)
    if table.alpha_is_rank:
        return Advice(
            float(config.network.rank), f"equal to the rank, {table.why_alpha}", table.alpha_source or table.source
        )
    value = config.network.rank / 2
    return Advice(value, f"half of rank {config.network.rank}: what is learned counts half, which dampens the rate")


@rule(sets="network.conv_rank", source=LYCORIS)
def conv_rank(_: Facts, config: TrainingConfig) -> Advice:
    """Half the rank for the kinds that are meant to have it."""
    kind, notebook = config.network.kind, defaults_for(config).notebook
    if not family(config.model.family).has_convolutions:
        return Advice(0, "this base has no convolutions of 3 x 3")
    if config.run.subject == "style" and kind == "locon" and notebook is COLAB_XL:
        return Advice(config.network.rank, "as many as elsewhere, as the notebook has it for a style", notebook)
    if kind in ("locon", "loha", "lokr"):
        value = max(1, config.network.rank // 2)
        half = f"{kind} reaches the 3x3 convolutions too; half of rank {config.network.rank} does there"
        return Advice(value, half, notebook if config.run.subject == "style" else OURS)
    return Advice(0, f"a plain {kind} leaves the 3x3 convolutions alone, which keeps the file small")


@rule(sets="network.conv_alpha", source=LYCORIS)
def conv_alpha(_: Facts, config: TrainingConfig) -> Advice:
    """In the proportion of alpha to rank."""
    conv = config.network.conv_rank
    if not conv:
        return Advice(0.0, "no convolution gets an adapter, so there is nothing to scale")
    value = conv * config.network.alpha / config.network.rank
    return Advice(
        value, f"to convolution rank {conv} as alpha {config.network.alpha:g} is to rank {config.network.rank}"
    )


@rule(sets="network.dora_axis", source=DORA)
def dora_axis(facts: Facts, config: TrainingConfig) -> Advice:
    """By input, unless a DoRA with lengths by output is gone on from."""
    kind = config.network.kind
    if kind != "dora":
        return Advice("input", f"only DoRA reads it, and this is a {kind}", origin="default")
    if facts.start is not None and facts.start.identity.dora_axis == "output":
        return Advice("output", "as the LoRA that this training goes on from has its lengths")
    return Advice("input", "as the paper has the lengths of a DoRA, and as every program reads them alike")


RULES = (kind, rank, alpha, conv_rank, conv_alpha, dora_axis)
"""Alpha follows the rank."""
