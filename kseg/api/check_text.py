"""The report of `kseg.check` as text: how the data are read, then what is wrong, the most harmful first.

A clean data set is five lines; the findings of any other are shortened to fit a screen. ``--json`` has all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from kseg.data.inspection.account import Account
from kseg.data.inspection.findings import Finding, setting_line
from kseg.data.inspection.inspect import Inspection
from kseg.data.objects import OBJECT_VOID
from kseg.data.spec import DataSpec
from kseg.errors import abbreviate
from kseg.images import printable
from kseg.labels import IGNORE, LabelMap, values_line

__all__ = ["report"]

_WIDTH: Final = 150
_SPLIT_BY: Final = {
    "fractions": "at random", "folders": "by folders", "lists": "by lists", "data": "as the data set says",
}  # fmt: skip
_INDENT: Final = " " * 9
_MOST: Final[Mapping[str, int]] = {"error": 4, "question": 4, "warning": 4, "note": 4}
"""Findings shown of each severity."""


def report(
    spec: DataSpec, inspection: Inspection, settled: Sequence[Finding], applied: Mapping[str, Any],
    heading: Callable[[str], str],
) -> str:  # fmt: skip
    """The report of a check.

    Args:
        spec: The settings that the data set is read with.
        inspection: The last check.
        settled: The findings that settings solve.
        applied: These settings: dotted key → value.
        heading: Formats the first word of a line.
    """
    lines = [_samples(spec, inspection), heading("files") + _files(spec, inspection.account)]
    if inspection.labels is not None:
        asked = any("data.values" in finding.guess for finding in inspection.errors)
        lines.append(heading("classes") + _short(_classes(inspection.labels, asked)))
    head = len(lines)
    for severity in ("error", "question"):
        lines += _blocks(inspection.findings, severity, heading)
    lines += [heading("used") + _short(_solved(finding, applied)) for finding in settled if _is_told(finding)]
    for severity in ("warning", "note"):
        lines += _blocks(inspection.findings, severity, heading)
    if len(lines) == head:
        lines.append("no problems found")
    return "\n".join(lines)


def _samples(spec: DataSpec, inspection: Inspection) -> str:
    counts = ", ".join(f"{name} {count}" for name, count in inspection.counts.items())
    how = _SPLIT_BY[inspection.split_by]
    return f"{printable(spec.root)}: {sum(inspection.counts.values())} samples: {counts} ({how})"


def _files(spec: DataSpec, account: Account | None) -> str:
    """What is read in which role."""
    in_folders = spec.format in ("folders", "voc")
    source = f"masks in {spec.masks}" if in_folders else f"annotations {spec.annotations or 'beside them'}"
    if account is None:
        return _short(f"{spec.format}: images in {spec.images}, {source}")
    images = f"{account.images} images" + (f" in {spec.images}" if spec.format != "manifest" else "")
    read = f"{spec.format}: {images}, {f'{account.masks} {source}' if in_folders else source}"
    explained = f"; not read: {abbreviate((f'{k} ({v})' for k, v in account.explained.items()), 3)}"
    unread = sum(account.folders.values()) + len(account.stray)
    rest = "; every picture is read" if not unread and not account.explained else ""
    return _short(read + (explained if account.explained else rest))


def _classes(labels: LabelMap, asked: bool) -> str:
    """The classes with their values, unless these are in question."""
    if asked:
        return f"{abbreviate(labels.names, 8)}; what the values mean is asked below"
    ignored = [str(value) for value, name in labels.values.items() if name == IGNORE]
    values = {value: name for value, name in labels.values.items() if value != OBJECT_VOID}
    text = f"{', '.join(labels.names)}; values {values_line(values)}"
    return (
        text
        if len(labels.names) <= 8
        else f"{len(labels.names)}: {abbreviate(labels.names, 8)}"
        + (f"; ignored: {', '.join(ignored)}" if ignored else "")
    )


def _blocks(findings: Sequence[Finding], severity: str, heading: Callable[[str], str]) -> Iterator[str]:
    same = [finding for finding in findings if finding.severity == severity]
    shown = same[: _MOST[severity]]
    for finding in shown:
        lines = _detailed(finding) if finding.prevents else [_one_line(finding)]
        yield heading(severity) + "\n".join([lines[0], *(_INDENT + line for line in lines[1:])])
    if len(same) > len(shown):
        codes = ", ".join(finding.code for finding in same[len(shown) :])
        yield heading(severity) + f"and {len(same) - len(shown)} more (--json shows them): {codes}"


def _detailed(finding: Finding) -> list[str]:
    """An error or question: what, where, why, and the way out."""
    files = abbreviate(map(printable, finding.files), 3) if 0 < finding.count < finding.total else None
    facts = finding.found or files
    lines = [f"{_short(finding.what, len(finding.code) + 4)}  [{finding.code}]"]
    lines += [_short(facts)] if facts else []
    lines += [_short(finding.why)] if finding.severity == "question" else []
    lines += [f"set {line}" for line in finding.lines]
    lines += [f"answer: {finding.answer}"] if finding.guess else []
    if finding.advice:
        lines.append(f"{'or ' if finding.fix or finding.guess else ''}{finding.advice}")
    return lines


def _one_line(finding: Finding) -> str:
    facts = finding.found or (abbreviate(map(printable, finding.files), 3) if finding.count < finding.total else "")
    way_out = "; ".join(finding.lines) if finding.severity == "warning" else ""
    text = f"{finding.what}: {facts}" if facts else finding.what
    ending = f"  [{finding.code}]" + (f" set {way_out}" if way_out else "")
    return f"{_short(text, min(len(ending), 80))}{ending}"


def _solved(finding: Finding, applied: Mapping[str, Any]) -> str:
    own = {**finding.fix, **finding.guess}
    lines = "; ".join(setting_line(key, applied.get(key, value)) for key, value in own.items())
    return f"{lines}  ({finding.what}) [{finding.code}]"


def _is_told(finding: Finding) -> bool:
    """Whether a settled finding is worth a line; that classes were read is shown with the classes."""
    return finding.code != "inferred-classes"


def _short(text: str, spare: int = 0) -> str:
    limit = _WIDTH - len(_INDENT) - spare
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
