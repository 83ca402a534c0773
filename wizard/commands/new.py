"""`loracle new`: the questions, the plan, and what is done with it.

The first question is on screen before anything heavy is imported; what it leads to comes in when it is needed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.errors import LoraError
from wizard.interview.flow import Interview, Talk, World
from wizard.interview.questions import Ask, choice
from wizard.interview.steps import STEPS, facts_of
from wizard.output import is_terminal, say
from wizard.user_data import Kept, Session

if TYPE_CHECKING:
    from advisor.checkpoints.identity import Identity
    from advisor.dataset.report import DatasetReport
    from advisor.machine.hardware import Hardware
    from advisor.settings.preset_file import PresetFile
    from wizard.interview.machine_options import Machine
    from wizard.interview.menu import Desk, Exported
    from wizard.interview.request import Request

NO_TERMINAL = (
    "There is no terminal to ask in. Without questions: "
    "`loracle plan --images DIR --model FILE --name NAME --out RUN`, then `loracle train RUN`"
)

WELCOME = "Loracle: a few questions, then a LoRA. < goes back; Ctrl-C keeps your answers.\n\n"

KEPT = "Your answers are kept; start it again to go on there."

COUNT_SECONDS = 1.0
"""A scan that takes longer shows how far it is."""


def new(run: Path | None = None, request: Request | None = None) -> None:
    """Ask, plan, and do what is asked with the plan.

    Args:
        run: the folder for the run; None: one by the LoRA's name.
        request: what the command line answered already.

    Raises:
        LoraError: there is no terminal, or the request names what cannot be.
        KeyboardInterrupt: never; the answers are kept and the process ends with 130.
    """
    if not is_terminal():
        raise LoraError(NO_TERMINAL)
    from wizard.interview.ask import TerminalAsk

    ask, session = TerminalAsk(), Session()
    try:
        converse(ask, session, run=run, request=request, world=real_world())
    except KeyboardInterrupt as interrupted:  # a training that was interrupted says itself what is saved
        say("\n" + (str(interrupted) or (KEPT if session.load() else "Interrupted.")))
        raise SystemExit(130) from None


def converse(
    ask: Ask,
    session: Session,
    *,
    run: Path | None,
    request: Request | None,
    world: World,
    desk: Callable[[Machine, Session, World], Desk] | None = None,
) -> None:
    """The whole conversation, with whoever answers.

    Args:
        desk: makes what is done with a plan; None: the real one.
    """
    ask.tell(WELCOME)
    kept = _taken_up(ask, session)
    start, given = _beginning(kept, request)
    keep = _Keeping(session, ask)
    interview = Interview(STEPS, world, ask, start=start, given=given, drafts=kept.answers, keep=keep)
    talk = interview.run()
    from wizard.interview.machine_options import Machine
    from wizard.interview.menu import Menu

    machine = request.machine if request else Machine()
    made = (desk or _real_desk)(machine, session, world)
    while True:
        try:
            menu = Menu(talk, ask, made, run)
        except LoraError as error:
            ask.tell(str(error))
            talk = _mended(interview, talk, ask)
            continue
        if menu.go() == "done":
            return
        interview.settled(menu.talk)
        interview.back()
        talk = interview.run()


def _beginning(kept: Kept, request: Request | None) -> tuple[Talk, dict[str, str]]:
    """What is known before the first question, and the command line's answers to questions."""
    settings, given = dict(kept.settings), dict[str, str]()
    if request is not None:
        from wizard.interview.request import chosen_settings

        settings |= chosen_settings(request.settings)
        given = request.given()
    start = Talk(settings=settings)
    if request is not None and request.preset is not None:
        start = start.saying("preset", _readable_preset(request.preset))
    advice = given.pop("advice", None) or kept.answers.get("advice")
    return (start.saying("advice", advice) if advice else start), given


def _readable_preset(file: Path) -> str:
    """The path from the root on of a preset that is told about before the first question if it cannot be read."""
    from wizard.interview.paths import absolute_path

    found = absolute_path(str(file))
    _preset(str(found))
    return str(found)


def _mended(interview: Interview, talk: Talk, ask: Ask) -> Talk:
    """What was said, after a plan could not be made of it: without the chosen settings, or with other answers."""
    if talk.settings:
        ask.tell(f"Without your choice of {', '.join(talk.settings)}:")
        interview.settled(replace(talk, settings={}))
        return interview.run()
    interview.back()
    return interview.run()


def _taken_up(ask: Ask, session: Session) -> Kept:
    """The answers of an unfinished start, if there are any and they are wanted."""
    kept = session.load()
    if not kept:
        return kept
    name = kept.answers.get("name") or kept.answers.get("images", "")
    text = f"Go on where you stopped{f' ({name})' if name else ''}?"
    go_on = choice("resume", text, ("yes", "Yes, with my answers"), ("no", "No, begin anew"), back=False)
    return kept if ask(go_on) == "yes" else Kept()


class _Keeping:
    """Keeps the talk after each answer; where that cannot be, it is said once."""

    def __init__(self, session: Session, ask: Ask) -> None:
        self._session, self._ask, self._complained = session, ask, False

    def __call__(self, talk: Talk) -> None:
        try:
            self._session.keep(Kept(dict(talk.said), dict(talk.settings)))
        except LoraError as error:
            if not self._complained:
                self._ask.tell(f"Answers are not kept over an interruption: {error}")
            self._complained = True


def real_world() -> World:
    """This machine's files, looked at whenever they are named, and its hardware, looked at once."""
    return World(scan=_scan, identify=_identify, probe=cache(_probe), presets=_presets, preset=_preset)


def _presets() -> tuple[str, ...]:
    from wizard.interview.preset_folder import PresetFolder

    return tuple(map(str, PresetFolder().files()))


def _preset(file: str) -> PresetFile:
    from advisor.settings.preset_file import read_preset

    return read_preset(Path(file))


def _scan(answer: str) -> DatasetReport:
    from advisor.dataset.scan import scan
    from wizard.interview.paths import given_path

    began, told = time.monotonic(), False

    def tell(done: int, total: int) -> None:
        nonlocal told
        if told or time.monotonic() - began > COUNT_SECONDS:
            told = True
            say(f"\r  {done:,} of {total:,} pictures looked at{'' if done < total else chr(10)}", end="")

    if not answer.strip():
        raise LoraError("give the folder that the pictures are in; Tab completes")
    return scan(given_path(answer), tell=tell)


def _identify(answer: str) -> Identity:
    from advisor.checkpoints.identify import identify
    from wizard.interview.paths import absolute_path

    if not answer.strip():
        raise LoraError("give the model's file; Tab completes")
    return identify(absolute_path(answer))


def _probe() -> Hardware:
    from advisor.machine.probe import probe_hardware

    return probe_hardware(Path.cwd())


def _real_desk(machine: Machine, session: Session, world: World) -> Desk:
    from advisor.planning.compare import difference, profiles
    from advisor.planning.planner import make_plan
    from templates.native.run_folder import has_trained, next_free_run, write_run
    from templates.registry import EXPORTERS
    from wizard.commands.train import train
    from wizard.interview.menu import Desk
    from wizard.interview.preset_folder import PresetFolder
    from wizard.interview.preset_questions import Shelf
    from wizard.show.difference_view import profiles_view, what_if_view
    from wizard.show.plan_view import plan_view

    presets = PresetFolder()
    return Desk(
        facts=lambda talk: facts_of(talk, world, machine),
        plan=make_plan,
        save=write_run,
        export=_export,
        train=train,
        free_run=lambda name: next_free_run(name, Path.cwd()),
        has_trained=has_trained,
        view=lambda facts, plan, everything: plan_view(facts, plan, everything=everything),
        changes=lambda facts, before, after: what_if_view(difference(facts, before, after)),
        profiles=lambda facts, plan: profiles_view(profiles(facts, plan)),
        keep=lambda talk: session.keep(Kept(dict(talk.said), dict(talk.settings))),
        forget=session.forget,
        exporters={exporter.name: exporter.title for exporter in EXPORTERS.values()},
        shelf=Shelf(presets.file, presets.save),
    )


def _export(name: str, run: Path) -> Exported:
    from advisor.run_folder.config_file import read_config
    from templates.registry import EXPORTERS
    from wizard.interview.menu import Exported

    written = EXPORTERS[name].write(read_config(run), run=run.absolute(), out=None)
    return Exported(written.paths, written.notes, written.how_to_start)
