"""What the wizard asks about pictures: which would be drawn while training, how long that takes, what is advised."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.facts import Facts
from advisor.planning.estimate import estimate
from advisor.planning.planner import make_plan
from advisor.rules.fitting import drawing_bytes
from advisor.rules.sampling import LEAST_LOOKS, PROMPTS, with_proposed_prompts
from advisor.rules.schedule import epochs_ended


@dataclass(frozen=True)
class DrawingOffer:
    """Pictures that could be drawn while training."""

    prompts: tuple[str, ...]
    every_epochs: int
    is_advised: bool
    """Whether the rules draw them; else `reason` says why not."""
    reason: str
    seconds: float | None
    """For the pictures; None where nothing is known of the card's speed."""
    run_seconds: float | None
    """For the whole run with them."""


def drawing_offer(facts: Facts) -> DrawingOffer | None:
    """The offer; None where there is nothing to choose: they were chosen, or drawing cannot be.

    Raises:
        LoraError: no plan can be made.
    """
    if facts.chosen_paths & {PROMPTS, "sampling.every_epochs"}:
        return None
    plan = make_plan(facts)
    config = with_proposed_prompts(facts, plan.config)
    if drawing_bytes(facts, config) > facts.free_bytes or epochs_ended(facts, config) < LEAST_LOOKS:
        return None
    outlook, is_advised = estimate(facts, config), bool(plan.config.sampling.prompts)
    return DrawingOffer(
        prompts=config.sampling.prompts,
        every_epochs=config.sampling.every_epochs,
        is_advised=is_advised,
        reason=plan.by_path[PROMPTS].reason,
        seconds=outlook.sampling_seconds,
        run_seconds=outlook.seconds,
    )
