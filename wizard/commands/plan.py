"""`loracle plan`: the plan without questions."""

from __future__ import annotations

from pathlib import Path

from wizard.output import is_terminal, print_json, say, show
from wizard.own_command import own_command
from wizard.request import Request, facts_of_request


def plan(request: Request, *, out: Path | None = None, save_preset: Path | None = None, as_json: bool = False) -> None:
    """Print the plan, write the run folder if one is named, and what was chosen as a preset likewise.

    Raises:
        LoraError: something in the request is wrong; all of it is told.
    """
    from advisor.identify import identify
    from advisor.plan_document import plan_document
    from advisor.planner import make_plan
    from advisor.probe import probe_hardware
    from advisor.scan import scan

    if save_preset is not None:
        _may_write(save_preset, may_ask=is_terminal() and not as_json)
    facts = facts_of_request(
        request, scan=scan, identify=identify, probe=lambda: probe_hardware(out or Path.cwd())
    )  # fmt: skip
    made = make_plan(facts)
    if out is not None:
        from templates.run_folder import write_run

        write_run(out, facts, made)
        say(f"Written to {out}; train it with: {own_command('train', out)}")
    if save_preset is not None:
        from templates.preset import own_rows, write_preset
        from wizard.preset_talk import saved_text

        write_preset(save_preset, made)
        say(saved_text(save_preset, tuple(row.path for row in own_rows(made))))
    if as_json:
        print_json(plan_document(facts, made))
        return
    from wizard.views import plan_view

    show(plan_view(facts, made))


def _may_write(preset: Path, *, may_ask: bool) -> None:
    """Whether the preset's file is free, or may be replaced."""
    from advisor.errors import RunError

    if not preset.exists():
        return
    if may_ask:
        from wizard.ask import TerminalAsk
        from wizard.preset_talk import may_replace

        if may_replace(preset, TerminalAsk(), no="No, write nothing"):
            return
        raise RunError("Nothing was written.")
    raise RunError(f"the preset {preset} exists already: name another file, or remove that one")
