"""Findings about what the mask values mean: settings where it is certain, a question where it is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from kseg.data.inspection.checks.context import Context
from kseg.data.inspection.findings import Finding, Severity
from kseg.data.inspection.legend_meaning import interpret_legend
from kseg.data.inspection.meaning import Meaning, interpret
from kseg.data.inspection.survey import MaskFacts
from kseg.data.inspection.value_table import border_excess, unknown_values
from kseg.errors import abbreviate
from kseg.labels import IGNORE, IGNORE_INDEX, OTHER, LabelMap, values_line

__all__ = ["meaning"]

_MANY_VALUES: Final = 16
"""More unknown values than this look like smoothed edges rather than like classes."""
_INVERTED: Final = 0.2
"""A foreground that covers this much more of the borders than of the centres is probably the background."""

_WHAT: Final = {
    "zero-255": "masks hold 0 and 255, values that data.values does not name",
    "inverted": "masks hold 0 and 255, and look inverted",
    "labels-from-one": "masks hold labels from 1 on, values that data.values does not name",
    "void": "masks hold one value more than there are classes",
    "smoothed": "masks hold values in between, which data.values does not name",
    "colors": "masks show colours, which data.values does not name",
    "instances": "masks seem to number objects",
    "two-notations": "some masks hold {0, 1}, the others {0, 255}",
    "unnamed-background": "masks hold one value more than there are classes, none of which is the background",
    "unlisted-values": "masks hold values that data.values does not name",
    "inferred-classes": "the classes are read from the masks",
}
_WHY: Final = {
    "zero-255": "255 is the object here; programs that take 255 for 'ignore' would train on no object",
    "inverted": "with 255 as the object, the opposite would be learned",
    "labels-from-one": "used as class ids, they would be off by one",
    "void": "such a value usually marks pixels of unknown ground truth",
    "smoothed": "smoothed edges and JPEG compression leave values between those of the classes",
    "colors": "each colour has to be mapped to a class",
    "instances": "as classes, the number of an object would be learned",
    "two-notations": "1 and 255 would be two classes",
    "unnamed-background": "every class would be off by one",
    "unlisted-values": "a value without a class cannot be learned",
    "inferred-classes": "name them with --classes",
}


_LEARNED: Final = "the network learns what the values are said to mean"


def meaning(context: Context) -> Iterator[Finding]:
    """What the mask values mean, where the settings do not say it for all of them."""
    if not len(context.table.values):
        return
    if context.basis == "inferred":
        yield from _inferred(context)
    elif context.labels is not None:
        unknown = unknown_values(context.table, context.labels)
        if not len(unknown):
            yield from _inverted(context, context.labels) or _unusual(context, context.labels)
        elif context.basis == "told":
            yield _unlisted(context, context.labels, unknown)
        else:
            yield _named(context, context.labels, unknown)


def _interpret(context: Context, names: Sequence[str] | None) -> Meaning | None:
    """The meaning of the values: from a legend beside the masks, else from the masks themselves."""
    told = context.legend and interpret_legend(context.table, names, context.legend, context.palette)
    return told or interpret(context.table, names)


def _inferred(context: Context) -> Iterator[Finding]:
    """Neither classes nor values are configured."""
    read = _interpret(context, None)
    if read is None:
        yield Finding(
            code="unsettled-classes", severity="error", what="the classes cannot be read from the masks",
            why="the masks have too many different values, or only one, to be one class each",
            count=context.total, total=context.total, found=_shares(context), undecided=_most_frequent(context),
            advice="name the classes with --classes, and their values with data.values",
        )  # fmt: skip
        return
    labels = context.labels
    as_inferred = labels is not None and dict(labels.values) == read.settings["values"] and "match" not in read.settings
    severity: Severity = "note" if as_inferred and labels and labels.threshold is None else "error"
    code = _code(context, read, None)
    if read.is_certain and (severity == "note" or code == "unlisted-values"):
        settings = {f"data.{key}": value for key, value in read.settings.items()}
        yield Finding(
            code="inferred-classes", severity=severity, what=f"{_WHAT['inferred-classes']}: {read.why}",
            why=_WHY["inferred-classes"], count=context.total, total=context.total, fix=settings,
        )  # fmt: skip
    else:
        yield _finding(context, read, code, severity)


def _named(context: Context, labels: LabelMap, unknown: Any) -> Finding:
    """The classes are configured, and their values are not 0, 1, 2 …."""
    read = _interpret(context, labels.names)
    if read is not None:
        return _finding(context, read, _code(context, read, labels), "error")
    code = "smoothed" if len(unknown) > _MANY_VALUES and not context.table.colored else "unlisted-values"
    return _unknown_finding(context, labels, unknown, "colors" if context.table.colored else code)


def _unlisted(context: Context, labels: LabelMap, unknown: Any) -> Finding:
    """Values are configured, but not all that occur."""
    table = context.table
    if table.colored != labels.is_colored or len(unknown) > _MANY_VALUES:
        return _unknown_finding(context, labels, unknown, "colors" if table.colored else "smoothed")
    values = {**labels.values, **{table.name(int(value)): IGNORE for value in unknown}}
    void = [int(value) for value in unknown if table.separates(int(value)) or table.pads(int(value))]
    settings = {"data.values": values}
    certain = len(void) == len(unknown)
    return _unknown_finding(
        context, labels, unknown, "void" if certain else "unlisted-values", fix=settings if certain else {},
        guess={} if certain else settings,
    )  # fmt: skip


def _unknown_finding(
    context: Context, labels: LabelMap, unknown: Any, code: str, *, fix: Mapping[str, Any] | None = None,
    guess: Mapping[str, Any] | None = None,
) -> Finding:  # fmt: skip
    table = context.table
    masks = [(facts.sample.key, facts.mask) for _, facts in context.samples() if facts.mask is not None]
    keys = tuple(key for key, mask in masks if _holds(mask, unknown))
    counts = zip(unknown, table.masks[np.isin(table.values, unknown)], strict=True)
    return Finding(
        code=code, severity="question" if guess else "error", what=_WHAT[code], why=_WHY[code],
        count=len(keys), total=len(masks), files=keys, expected=f"data.values: {values_line(labels.values)}",
        found=abbreviate(f"{table.name(int(value))} (in {count} of {len(masks)} masks)" for value, count in counts),
        fix=fix or {}, guess=guess or {}, advice=_advice(code, context),
        undecided=tuple(table.name(int(value)) for value in unknown),
    )  # fmt: skip


def _holds(mask: MaskFacts, unknown: Any) -> bool:
    return mask.colored or bool(np.isin(mask.values, unknown).any())


def _finding(context: Context, read: Meaning, code: str, severity: Severity) -> Finding:
    """A meaning as a finding: an error with its fix, or a question with its guess."""
    settings = {f"data.{key}": value for key, value in read.settings.items()}
    if context.spec.classes is not None and list(context.spec.classes) == settings.get("data.classes"):
        del settings["data.classes"]
    doubtful = not read.is_certain
    return Finding(
        code=code, severity="question" if doubtful else severity,
        what=f"what do the values mean? {read.doubts[0]}" if doubtful else _WHAT[code],
        why=_LEARNED if doubtful and code == "unlisted-values" else _WHY[code],
        count=context.total, total=context.total, expected=None, found=_shares(context),
        fix={} if doubtful else settings, guess=settings if doubtful else {}, advice=_advice(code, context),
        undecided=tuple(context.table.name(value) for value in read.undecided),
    )  # fmt: skip


def _shares(context: Context) -> str:
    """The most frequent values with their shares of the pixels."""
    table = context.table
    shares = {value: table.share(table.pixels)[i] for i, value in enumerate(table.values.tolist())}
    frequent = sorted(shares, key=lambda value: -shares[value])[:8]
    text = ", ".join(f"{table.name(value)} ({shares[value]:.1%})" for value in frequent)
    hidden = len(shares) - len(frequent)
    return f"{text} and {hidden} more values" if hidden else text


def _most_frequent(context: Context) -> tuple[int | str, ...]:
    table = context.table
    order = np.argsort(-table.pixels, kind="stable")[:_MANY_VALUES]
    return tuple(table.name(int(table.values[i])) for i in order)


def _code(context: Context, read: Meaning, labels: LabelMap | None) -> str:
    """The name of what is unusual about the values."""
    table, meaning_of = context.table, read.settings["values"]
    values = [int(value) for value in table.values]
    if OTHER in meaning_of:
        return "instances"
    if "threshold" in read.settings or ("match" in read.settings and not table.colored):
        return "smoothed"
    if table.colored:
        return "colors"
    if values == [0, 1, IGNORE_INDEX] and meaning_of[1] == meaning_of[IGNORE_INDEX]:
        return "two-notations"
    if labels is not None and len(read.settings.get("classes", ())) > labels.num_classes:
        return "unnamed-background"
    if values == [0, IGNORE_INDEX]:
        return "inverted" if meaning_of[IGNORE_INDEX] == "background" else "zero-255"
    if values == list(range(1, len(values) + 1)):
        return "labels-from-one"
    return "void" if IGNORE in meaning_of.values() else "unlisted-values"


def _advice(code: str, context: Context) -> str | None:
    if code == "smoothed":
        return "save the masks as PNG, without smoothing"
    if code in ("unlisted-values", "colors"):
        table = context.table
        first = context.labels.names[-1] if context.labels else "object"
        value = table.name(int(table.values[0]))
        return f"say what each value is, e.g. data.values: {{{value!r}: {first}, other: background}}"
    return None


def _inverted(context: Context, labels: LabelMap) -> list[Finding]:
    """Masks in which the foreground surrounds the background: a question, or a warning if the values are told."""
    if context.report is None or not labels.is_binary or context.table.colored:
        return []
    ids, table = labels.ids(context.table.values), context.table
    excess = border_excess(table)
    foreground = sum(excess[int(value)] for value, i in zip(table.values, ids, strict=True) if i == 1)
    if foreground <= _INVERTED:
        return []
    swap = {labels.names[0]: labels.names[1], labels.names[1]: labels.names[0]}
    values = {value: swap.get(name, name) for value, name in labels.values.items()}
    told = context.basis == "told"
    border, center = (float(table.share(counts)[ids == 1].sum()) for counts in (table.border, table.center))
    return [
        Finding(
            code="inverted", severity="warning" if told else "question",
            what="the masks look inverted" if told else "are the masks inverted?",
            why="the foreground covers the borders of the masks, and the background their centres",
            count=context.total, total=context.total,
            found=f"{labels.names[1]} on {border:.0%} of the borders, on {center:.0%} of the centres",
            guess={} if told else {"data.values": values}, undecided=tuple(int(value) for value in table.values),
            advice="look at some with kseg data show" if told
            else f"if they are not, set data.values: {values_line(labels.values)}",
        )
    ]  # fmt: skip


def _unusual(context: Context, labels: LabelMap) -> list[Finding]:
    """Notes on values that the settings handle, but other programs may not."""
    if context.report is None or context.table.colored:
        return []
    values = [int(value) for value in context.table.values]
    if IGNORE_INDEX in values and labels.values.get(IGNORE_INDEX, IGNORE) != IGNORE and labels.threshold is None:
        what = f"masks hold {{{', '.join(map(str, values))}}}, where 255 is {labels.values[IGNORE_INDEX]}, not 'ignore'"
        return [_note(context, "zero-255", what, labels)]
    return [_note(context, "labels-from-one", "labels on disk start at 1", labels)] if values[0] == 1 else []


def _note(context: Context, code: str, what: str, labels: LabelMap) -> Finding:
    return Finding(
        code=code, severity="note", what=what, why=_WHY[code], count=context.total, total=context.total,
        advice=f"handled by data.values: {values_line(labels.values)}",
    )  # fmt: skip
