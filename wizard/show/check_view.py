"""The data-set doctor's findings as text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from advisor.dataset.doctor.finding import SEVERITIES, Finding
from advisor.units import counted, named
from wizard.output import WIDEST, wrapped_words

FILES_SHOWN = 6
"""Of a finding; `--json` and `--html` have all."""
NAMED_IN_A_LINE = 3
"""Files that messages name themselves."""
INDENT = " " * 9
SETTING = re.compile(r"\bdataset\.[a-z_]+")
"""In a hint."""
GIVEN_WHEN_PLANNING = (
    "`loracle plan ... --set {}=VALUE` when planning, Change a setting in the questions, or the run's loracle.toml"
)


def findings_text(findings: Sequence[Finding], width: int = WIDEST, *, is_asked: bool = False) -> str:
    """How many there are of each severity, then each with its files and its mend; of waived ones the number.

    Args:
        width: columns; lines are wrapped between words.
        is_asked: it is told within a question, where options of commands are of no use: they are left out.
    """
    told = [finding for finding in findings if not finding.waived]
    numbers = [
        counted(number, severity)
        for severity in SEVERITIES
        if (number := sum(1 for finding in told if finding.severity == severity))
    ]
    lines = [", ".join(numbers) + ":" if numbers else "Nothing to mend."]
    for finding in told:
        lines += ["", *_lines(finding, width, is_asked=is_asked)]
    if setting := SETTING.search(" ".join(finding.hint for finding in told)):
        where = "Change a setting, behind the plan" if is_asked else GIVEN_WHEN_PLANNING.format(setting[0])
        lines += ["", *wrapped_words(f"Settings, as {setting[0]} is one: {where}.", width, later="")]
    waived = len(findings) - len(told)
    if waived:
        lines += ["", f"{counted(waived, 'finding')} waived."]
    return "\n".join(lines)


def _lines(finding: Finding, width: int, *, is_asked: bool) -> Iterator[str]:
    message = finding.message  # where it names the first files alone, all are named below, once
    if len(finding.files) > NAMED_IN_A_LINE:
        message = message.replace(f" ({named(finding.files)})", "")
    first = f"{finding.severity:<8} {message}  [{finding.code}]"
    yield from wrapped_words(first, width, later=INDENT)
    unnamed = [path for path in finding.files if path not in message]
    if unnamed:
        yield from wrapped_words(INDENT + named(unnamed, FILES_SHOWN), width, later=INDENT)
    hint = without_options(finding.hint) if is_asked else finding.hint
    yield from wrapped_words(f"{INDENT}-> {hint}", width, later=f"{INDENT}   ")


def without_options(hint: str) -> str:
    """A hint without its sentences about options of commands, unless these are all of it."""
    sentences = hint.replace(" on the page of --html", "").split(". ")
    return ". ".join(one for one in sentences if "--" not in one) or hint
