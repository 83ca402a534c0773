"""The planner's facts, built from the answers of an interview."""

from __future__ import annotations

from dataclasses import replace

from advisor.answers import Answers
from advisor.facts import Facts
from advisor.settings.parse_value import parse_settings
from wizard.interview.flow import InterviewState, Probes
from wizard.interview.machine_options import MachineOptions
from wizard.interview.preset_questions import RULES_ALONE


def facts_of_state(state: InterviewState, probes: Probes, options: MachineOptions) -> Facts:
    """The facts of a finished interview.

    Args:
        options: the command line's; the answers about the machine go before them.

    Raises:
        HardwareError: no such machine is possible.
        LoraError: the preset cannot be read any more.
    """
    assert state.report is not None
    assert state.identity is not None
    answers = state.answers
    hardware = machine_options_of(state, options).applied(probes.probe())
    chosen = {f"model.{key}": answers[key] for key in ("prediction", "lineage") if key in answers}
    if chosen.get("model.lineage") == "none" and state.identity.lineage is None:
        del chosen["model.lineage"]  # nothing was guessed, and nothing is known: no choice was made
    given = Answers(
        name=answers["name"],
        trigger=answers["trigger"],
        subject=answers["subject"],  # type: ignore[arg-type]
        advice=answers.get("advice", "tutorial"),  # type: ignore[arg-type]
        use_cpu=answers.get("machine") == "cpu" or hardware.main_gpu is None,
        settings=parse_settings({**chosen, **state.settings}),
    )
    file = answers.get("preset", RULES_ALONE)
    preset = None if file == RULES_ALONE else probes.preset(file)
    return Facts(hardware, state.report, state.identity, given, preset, probes.receipts())


def machine_options_of(state: InterviewState, options: MachineOptions) -> MachineOptions:
    """The command line's options, replaced by the answers where the interview asked about the machine."""
    chosen, vram = state.answers.get("machine", ""), state.answers.get("vram")
    if chosen == "other":
        generation = state.answers.get("generation") or options.compute_capability
        return replace(options, vram=vram, compute_capability=generation, gpu=None)
    if chosen.startswith("gpu:"):
        return replace(options, gpu=int(chosen.removeprefix("gpu:")), vram=vram)
    return replace(options, vram=None, compute_capability=None) if chosen == "cpu" else options
