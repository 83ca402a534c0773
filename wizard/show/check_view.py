"""The data-set doctor's findings as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from advisor.dataset.doctor.finding import SEVERITIES, Finding
from advisor.units import counted

FILES_SHOWN = 6
"""Of a finding; `--json` and `--html` have all."""
INDENT = " " * 9


def findings_text(findings: Sequence[Finding]) -> str:
    """How many there are of each severity, then each with its files and its mend; of waived ones the number."""
    told = [finding for finding in findings if not finding.waived]
    numbers = [
        counted(number, severity)
        for severity in SEVERITIES
        if (number := sum(1 for finding in told if finding.severity == severity))
    ]
    lines = [", ".join(numbers) + ":" if numbers else "Nothing to mend."]
    for finding in told:
        lines += _lines(finding)
    waived = len(findings) - len(told)
    if waived:
        lines += ["", f"{counted(waived, 'finding')} waived."]
    return "\n".join(lines)


def _lines(finding: Finding) -> Iterator[str]:
    yield ""
    yield f"{finding.severity:<8} {finding.message}  [{finding.code}]"
    unnamed = [path for path in finding.files if path not in finding.message]
    if unnamed:
        more = len(unnamed) - FILES_SHOWN
        yield f"{INDENT}{', '.join(unnamed[:FILES_SHOWN])}{f' and {more:,} more' if more > 0 else ''}"
    yield f"{INDENT}-> {finding.hint}"
