"""`loracle new`: the interview, then the menu of the plan made from it.

The first question appears before pydantic, rich, Pillow and jinja2 are imported; functions import these on first use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.errors import LoraError, Mistakes
from advisor.files import is_file
from advisor.run_folder.layout import RunFolder
from advisor.units import counted
from wizard.draft_edits import DraftEdits
from wizard.exit_codes import INTERRUPTED
from wizard.interview.ask import TerminalAsk
from wizard.interview.conversation import own_conversation
from wizard.interview.flow import Interview, InterviewState, Probes
from wizard.interview.machine_options import MachineOptions
from wizard.interview.paths import absolute_path, given_path
from wizard.interview.preset_questions import RULES_ALONE, WANDB_KEY, interviewed_preset, preset_text
from wizard.interview.preset_store import PresetStore
from wizard.interview.questions import Ask, choice
from wizard.interview.steps import STEPS
from wizard.output import is_terminal, say
from wizard.show.counting import counting
from wizard.user_data import SavedAnswers, Session

if TYPE_CHECKING:
    from advisor.checkpoints.identity import Identity
    from advisor.dataset.report import DatasetReport
    from advisor.estimate.calibration import Receipt
    from advisor.families.part_files import PartKind
    from advisor.machine.hardware import Hardware
    from advisor.planning.drawing_offer import DrawingOffer
    from advisor.settings.preset_file import PresetFile
    from wizard.interview.menu import PlanActions
    from wizard.interview.pictures.picture_probes import LastSeen
    from wizard.interview.pictures.picture_talk import Seen
    from wizard.interview.pictures.picture_work import PictureWork
    from wizard.interview.request import PlanRequest

NO_TERMINAL = (
    "There is no terminal to ask in. Without questions: "
    "`loracle plan --images DIR --model FILE --name NAME --out RUN`, then `loracle train RUN`"
)

WELCOME = "Loracle: a few questions, then a LoRA. < goes back; Ctrl-C keeps your answers.\n\n"

KEPT = "Your answers are kept; start it again to go on there."


def new(run: Path | None = None, request: PlanRequest | None = None) -> None:
    """Ask, plan, and do what the user picks in the plan's menu.

    Args:
        run: the run folder; None: a new one with the LoRA's name.
        request: the command line's options, which are not asked for.

    Raises:
        LoraError: there is no terminal, or an option is invalid.
        SystemExit: Ctrl-C, with exit code 130; the answers are stored.
    """
    if not is_terminal():
        raise LoraError(NO_TERMINAL)
    options = request.machine if request else MachineOptions()
    with own_conversation() as own:
        session, draft = own.session, own.draft
        try:
            probes = real_probes(options, draft)
            converse(TerminalAsk(), session, run=run, request=request, probes=probes, draft=draft)
        except KeyboardInterrupt as interrupted:  # an interrupted training has a message of its own
            if draft.is_in_a_run and not session.load():
                draft.delete()
            is_kept = session.load() or draft.changes()
            say("\n" + (str(interrupted) or (KEPT if is_kept else "Interrupted.")))
            raise SystemExit(INTERRUPTED) from None


def converse(
    ask: Ask,
    session: Session,
    *,
    run: Path | None,
    request: PlanRequest | None,
    probes: Probes,
    draft: DraftEdits | None = None,
    actions: Callable[[MachineOptions, Session, Probes], PlanActions] | None = None,
) -> None:
    """Interview and menu in turn, until the user is done.

    Args:
        draft: what is decided of pictures; None: nothing is.
        actions: makes the menu's actions; None: `real_actions`.
    """
    ask.tell(WELCOME)
    saved = _resumed_answers(ask, session, draft)
    if draft is not None and (kept := len(draft.changes())):
        ask.tell(f"With {counted(kept, 'change')} of pictures and captions.")
    if draft is not None and run is not None and (own := _num_own_changes(run)):
        ask.tell(f"{run} has {counted(own, 'change')} of pictures and captions of its own, which count here, too.")
    start, given = _initial_state(saved, request)
    start = replace(_with_preset_of(saved, start, probes, ask), run=run)
    keep = _AnswerSaver(session, ask)
    drafts = {key: answer for key, answer in saved.answers.items() if key != WANDB_KEY}  # a yes is to one project
    interview = Interview(STEPS, probes, ask, start=start, given=given, drafts=drafts, keep=keep)
    state = interview.run()
    if "preset" in start.answers:
        preset = probes.preset(state.answers["preset"])
        ask.tell(preset_text(interviewed_preset(preset, state.answers, state.settings)))
    from wizard.commands.plan_actions import real_actions
    from wizard.interview.menu import Menu

    options = request.machine if request else MachineOptions()
    made = actions(options, session, probes) if actions else real_actions(options, session, probes, draft)
    while True:
        try:
            menu = Menu(state, ask, made, run)
        except LoraError as error:
            ask.tell(str(error))
            state = _retry(interview, state, ask)
            continue
        if menu.run() == "done":
            if draft is not None and not session.load():
                draft.delete()
            return
        interview.replace_state(replace(menu.state, run=run))
        interview.back()
        state = interview.run()


def _num_own_changes(run: Path) -> int:
    """How many changes of pictures and captions a run has already."""
    folder = RunFolder(run.absolute())
    if not is_file(folder.edits):
        return 0
    from advisor.run_folder.pictures.edits_file import read_changes

    return len(read_changes(folder))


def _initial_state(saved: SavedAnswers, request: PlanRequest | None) -> tuple[InterviewState, dict[str, str]]:
    """The state before the first question, and the command line's answers by key."""
    settings, given, preset = dict(saved.settings), dict[str, str](), None
    if request is not None:
        from wizard.interview.facts import chosen_settings

        mistakes, file = Mistakes(), request.preset
        settings |= mistakes.attempt(lambda: chosen_settings(request.settings)) or {}
        preset = None if file is None else mistakes.attempt(lambda: _readable_preset(file))
        mistakes.attempt(request.machine.check_threads)
        mistakes.refuse()
        given = request.given()
    start = InterviewState(settings=settings)
    if preset is not None:
        start = start.with_answer("preset", preset)
    advice = given.pop("advice", None) or saved.answers.get("advice")
    return (start.with_answer("advice", advice) if advice else start), given


def _with_preset_of(saved: SavedAnswers, start: InterviewState, probes: Probes, ask: Ask) -> InterviewState:
    """The state with the preset that an interrupted interview was begun with, which no question asks for."""
    file = saved.answers.get("preset", RULES_ALONE)
    if "preset" in start.answers or file == RULES_ALONE or file in probes.presets():
        return start
    try:
        return start.with_answer("preset", _readable_preset(Path(file)))
    except LoraError as error:
        ask.tell(f"The plan is made without your preset: {error}")
        return start


def _readable_preset(file: Path) -> str:
    """The absolute path of a preset; a LoraError before the first question where it cannot be read."""
    found = str(absolute_path(str(file)))
    _read_preset(found)
    return found


def _retry(interview: Interview, state: InterviewState, ask: Ask) -> InterviewState:
    """The state after a plan could not be made from it: without its chosen settings, else with the last answer anew."""
    if state.settings:
        ask.tell(f"Without your choice of {', '.join(state.settings)}:")
        interview.replace_state(replace(state, settings={}))
        return interview.run()
    interview.back()
    return interview.run()


def _resumed_answers(ask: Ask, session: Session, draft: DraftEdits | None) -> SavedAnswers:
    """The answers of an interrupted interview, if there are any and the user wants them; else empty. What was decided
    of pictures stays with them, and is deleted only where the user says so.
    """
    saved, number = session.load(), 0 if draft is None else len(draft.changes())
    changes = f"{counted(number, 'change')} of pictures and captions" if number else ""
    if saved:
        name = saved.answers.get("name") or saved.answers.get("images", "")
        text = f"Go on where you stopped{f' ({name})' if name else ''}?"
        yes, no = "Yes, with my answers", f"No, begin anew{f', without the {changes}' if number else ''}"
    elif number:
        text = f"An earlier conversation ended with {changes} that no run has. Keep them for this one?"
        yes, no = "Yes, where they are of the same pictures", "No, forget them"
    else:
        return saved
    if ask(choice("resume", text, ("yes", yes), ("no", no), back=False)) == "yes":
        return saved
    if draft is not None:
        draft.delete()
    return SavedAnswers()


class _AnswerSaver:
    """Stores the state after each answer; a failure is printed once."""

    def __init__(self, session: Session, ask: Ask) -> None:
        self._session, self._ask, self._has_failed = session, ask, False

    def __call__(self, state: InterviewState) -> None:
        try:
            self._session.save(SavedAnswers(dict(state.answers), dict(state.settings)))
        except LoraError as error:
            if not self._has_failed:
                self._ask.tell(f"Answers are not kept over an interruption: {error}")
            self._has_failed = True


def real_probes(options: MachineOptions, draft: DraftEdits) -> Probes:
    """Probes of this machine; hardware is probed once, files each time.

    Args:
        options: the command line's, about the machine.
        draft: what is decided of pictures.
    """
    last_seen = cache(_last_seen)

    def look(state: InterviewState, work: PictureWork) -> Seen:
        return last_seen()(state, work)

    probes = Probes(
        scan=_scan, identify=_identify, why_not_part=_why_not_part, probe=cache(_probe), presets=_presets,
        preset=_read_preset, receipts=_receipts,
        pictures=lambda state: _pictures(state, draft), look=look,
    )  # fmt: skip
    return replace(probes, drawing=lambda state: _drawing(state, probes, options))


def _why_not_part(base: Identity, kind: PartKind, file: str) -> str:
    from advisor.checkpoints.part_files import why_not_part
    from advisor.families import family

    return why_not_part(Path(base.path), family(base.family or ""), kind, Path(file))


def _drawing(state: InterviewState, probes: Probes, options: MachineOptions) -> DrawingOffer | None:
    """What could be drawn; None too where no plan can be made, which is told where it is made."""
    from advisor.planning.drawing_offer import drawing_offer
    from wizard.interview.facts import facts_of_state

    try:
        return drawing_offer(facts_of_state(state, probes, options))
    except LoraError:
        return None


def _pictures(state: InterviewState, draft: DraftEdits) -> PictureWork:
    from wizard.interview.pictures.picture_probes import picture_work

    return picture_work(state, draft)


def _last_seen() -> LastSeen:
    from wizard.interview.pictures.picture_probes import LastSeen

    return LastSeen()


def _presets() -> tuple[str, ...]:
    return tuple(map(str, PresetStore().files()))


def _read_preset(file: str) -> PresetFile:
    from advisor.settings.preset_file import read_preset

    return read_preset(Path(file))


def _scan(answer: str) -> DatasetReport:
    from advisor.dataset.scan import scan

    if not answer.strip():
        raise LoraError("give the folder that the pictures are in; Tab completes")
    return scan(given_path(answer), tell=counting("pictures looked at"))


def _identify(answer: str) -> Identity:
    from advisor.checkpoints.identify import identify

    if not answer.strip():
        raise LoraError("give the model's file; Tab completes")
    return identify(absolute_path(answer))


def _probe() -> Hardware:
    from advisor.machine.probe import probe_hardware

    return probe_hardware(Path.cwd())


def _receipts() -> tuple[Receipt, ...]:
    from wizard.processes.receipt_store import known_receipts

    return known_receipts()
