"""Findings about what the mask values mean: settings where it is certain, a question where it is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from kseg.data.inspection.checks.context import MOST_DROPPED, Context
from kseg.data.inspection.evidence import Meaning, looks_inverted, surrounds
from kseg.data.inspection.findings import Finding, Severity, setting_line
from kseg.data.inspection.legend_meaning import interpret_legend
from kseg.data.inspection.meaning import interpret
from kseg.data.inspection.survey import MaskFacts
from kseg.data.inspection.value_table import unknown_values
from kseg.errors import abbreviate
from kseg.labels import BACKGROUND, IGNORE, IGNORE_INDEX, OTHER, LabelMap, values_line

__all__ = ["meaning"]

_MANY_VALUES: Final = 16
"""More unknown values than this may be shades of smoothed edges."""
_FEWEST_CLASSES: Final = 2
"""Two classes are written with their values, which may be inverted."""

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
    "legend": "a legend says which value is which class",
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
    "legend": "in ascending order, classes would be learned from the pixels of others",
}


def meaning(context: Context) -> Iterator[Finding]:
    """What the mask values mean, where the settings do not say it for all of them."""
    if not len(context.table.values):
        return
    if context.basis == "inferred":
        yield from _inferred(context)
    elif context.labels is not None:
        yield from _configured(context, context.labels)


def _configured(context: Context, labels: LabelMap) -> Iterator[Finding]:
    """Classes, and perhaps their values, are configured."""
    unknown = unknown_values(context.table, labels)
    if len(unknown):
        yield (_unlisted if context.basis == "told" else _named)(context, labels, unknown)
        return
    contradiction = _contradiction(context, labels) if context.basis == "default" else None
    if contradiction is not None:
        yield contradiction
        return
    yield from _background_left_out(context, labels) or _inverted(context, labels) or _unusual(context, labels)
    yield from _named_otherwise(context, labels)


def _contradiction(context: Context, labels: LabelMap) -> Finding | None:
    """A legend that gives the values other classes than their order does."""
    read = context.legend and interpret_legend(context.table, labels.names, context.legend, context.palette)
    if not read:
        return None
    values, own = read.settings["values"], labels.values
    differs = any(values.get(value, IGNORE) != own.get(value) for value in context.table.values.tolist())
    as_configured = read.is_certain and not differs and set(read.settings.get("classes", ())) <= set(labels.names)
    return None if as_configured else _finding(context, read, "legend", "error")


def _interpret(context: Context, names: Sequence[str] | None) -> Meaning | None:
    """The meaning of the values: from a legend beside the masks, else from the masks themselves."""
    by_legend = context.legend and interpret_legend(context.table, names, context.legend, context.palette)
    return by_legend or interpret(context.table, names)


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
        settings = _settings(read)
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
    return _unknown_finding(context, labels, unknown, _unknown_code(context, unknown))


def _unknown_code(context: Context, unknown: Any) -> str:
    """Colours, shades, or values without a class."""
    if context.table.colored:
        return "colors"
    return "smoothed" if len(unknown) > _MANY_VALUES and context.table.are_shades(unknown) else "unlisted-values"


def _unlisted(context: Context, labels: LabelMap, unknown: Any) -> Finding:
    """Values are configured, but not all that occur."""
    table = context.table
    if table.colored != labels.is_colored or len(unknown) > _MANY_VALUES:
        return _unknown_finding(context, labels, unknown, _unknown_code(context, unknown))
    settings = {"data.values": {**labels.values, **{table.name(int(value)): IGNORE for value in unknown}}}
    doubtful = [int(v) for v in unknown if table.colored or not (table.separates(int(v)) or table.pads(int(v)))]
    if not doubtful:
        return _unknown_finding(context, labels, unknown, "void", fix=settings)
    names = abbreviate((table.name(value) for value in doubtful), 3)
    return _unknown_finding(
        context, labels, unknown, "unlisted-values", guess=settings, doubtful=doubtful,
        question=f"what is {names}? data.values does not name it, and it does not lie along borders as void does",
    )  # fmt: skip


def _unknown_finding(
    context: Context, labels: LabelMap, unknown: Any, code: str, *, fix: Mapping[str, Any] | None = None,
    guess: Mapping[str, Any] | None = None, doubtful: Sequence[int] | None = None, question: str | None = None,
) -> Finding:  # fmt: skip
    table = context.table
    masks = [(facts.sample.key, facts.mask) for _, facts in context.samples() if facts.mask is not None]
    keys = tuple(key for key, mask in masks if _holds(mask, unknown))
    counts = zip(unknown, table.masks[np.isin(table.values, unknown)], strict=True)
    return Finding(
        code=code, severity="question" if guess else "error", what=question or _WHAT[code],
        why="pixels of a class would be ignored" if guess else _WHY[code],
        count=len(keys), total=len(masks), files=keys, expected=f"data.values: {values_line(labels.values)}",
        found=abbreviate(f"{table.name(int(value))} (in {count} of {len(masks)} masks)" for value, count in counts),
        fix=fix or {}, guess=guess or {}, advice=_advice(code, context),
        undecided=tuple(table.name(int(value)) for value in (unknown if doubtful is None else doubtful)),
    )  # fmt: skip


def _holds(mask: MaskFacts, unknown: Any) -> bool:
    return mask.colored or bool(np.isin(mask.values, unknown).any())


def _settings(read: Meaning) -> dict[str, Any]:
    """The settings by dotted key, without the values where value i is class i of several, which is the default."""
    settings = {f"data.{key}": value for key, value in read.settings.items()}
    classes = read.settings.get("classes", ())
    if len(classes) > _FEWEST_CLASSES and read.settings["values"] == dict(enumerate(classes)):
        del settings["data.values"]
    return settings


def _finding(context: Context, read: Meaning, code: str, severity: Severity) -> Finding:
    """A meaning as a finding: an error with its fix, or a question with its guess."""
    settings = _settings(read)
    if context.spec.classes is not None and list(context.spec.classes) == settings.get("data.classes"):
        del settings["data.classes"]
    first, *others = read.doubts or (None,)
    also = [f"also: {doubt.question}" for doubt in others if doubt]
    return Finding(
        code=code, severity="question" if first else severity, what=first.question if first else _WHAT[code],
        why=first.wrong if first else _WHY[code],
        count=context.total, total=context.total, found="; ".join([_shares(context), *also]),
        fix={} if first else settings, guess=settings if first else {},
        advice=_otherwise(read) if first else _advice(code, context),
        undecided=tuple(context.table.name(value) for value in read.undecided),
    )  # fmt: skip


def _otherwise(read: Meaning) -> str:
    """What to set if the guess is wrong."""
    if not read.alternative:
        return "if not, say which value is which class with data.values"
    lines = [setting_line(f"data.{key}", value) for key, value in read.alternative.items()]
    return f"if not, set {' and '.join(lines)}"


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
    if any(isinstance(value, str) for value in meaning_of) and not table.colored:
        return "colors"
    if "threshold" in read.settings or ("match" in read.settings and not table.colored):
        return "smoothed"
    if table.colored:
        return "colors"
    if values == [0, 1, IGNORE_INDEX] and meaning_of.get(1) == meaning_of.get(IGNORE_INDEX):
        return "two-notations"
    if labels is not None and len(read.settings.get("classes", ())) > labels.num_classes:
        return "unnamed-background"
    if values == [0, IGNORE_INDEX]:
        return "inverted" if meaning_of.get(IGNORE_INDEX) == BACKGROUND else "zero-255"
    if values == list(range(1, len(values) + 1)):
        return "labels-from-one"
    return "void" if IGNORE in meaning_of.values() else "unlisted-values"


def _advice(code: str, context: Context) -> str | None:
    if code == "smoothed":
        return "save the masks as PNG, without smoothing"
    if code in ("unlisted-values", "colors"):
        names = context.labels.names if context.labels else (BACKGROUND, "object")
        values = [context.table.name(int(value)) for value in context.table.values[1:]]
        example = {**dict(zip(values, names[1:], strict=False)), OTHER: names[0]}
        return f"say what each value is, e.g. data.values: {values_line(example)}"
    return None


def _background_left_out(context: Context, labels: LabelMap) -> list[Finding]:
    """Named classes of objects without the background, so that the format has all other pixels ignored."""
    spec, table = context.spec, context.table
    rest = labels.values.get(0, labels.values.get(OTHER))
    share = float(table.share(table.pixels)[table.values == 0].sum())
    asked = spec.defines_values and spec.classes is not None and not spec.values and rest == IGNORE
    if not asked or share <= MOST_DROPPED:
        return []
    return [
        Finding(
            code="unnamed-background", severity="question",
            what="are pixels without an object background? It is not named",
            why="they would be ignored, and the network would see objects everywhere",
            count=context.total, total=context.total, found=f"{share:.1%} of the pixels show none of the named classes",
            guess={"data.classes": [BACKGROUND, *labels.names]}, undecided=(0,),
            advice=f"if not, set data.values: {values_line(labels.values)}",
        )
    ]  # fmt: skip


def _inverted(context: Context, labels: LabelMap) -> list[Finding]:
    """Masks in which the foreground surrounds the background: a question, or a warning if the values are told."""
    table = context.table
    if context.report is None or not labels.is_binary or table.colored:
        return []
    ids = labels.ids(table.values)
    background, foreground, void = ([int(v) for v in table.values[ids == i]] for i in (0, 1, IGNORE_INDEX))
    if not foreground or not looks_inverted(table, background, foreground, void):
        return []
    swap = {labels.names[0]: labels.names[1], labels.names[1]: labels.names[0]}
    values = {value: swap.get(name, name) for value, name in labels.values.items()}
    is_told = context.basis == "told"
    border, center = (float(table.share(counts)[ids == 1].sum()) for counts in (table.border, table.center))
    return [
        Finding(
            code="inverted", severity="warning" if is_told else "question",
            what="the masks look inverted" if is_told
            else f"are the masks inverted? What would be {labels.names[1]} looks like the background",
            why="the opposite would be learned", count=context.total, total=context.total,
            found=f"{labels.names[1]} on {border:.0%} of the borders, on {center:.0%} of the centres",
            guess={} if is_told else {"data.values": values}, undecided=tuple(int(value) for value in table.values),
            advice=f"look at some with kseg data show; if so, set data.values: {values_line(values)}" if is_told
            else f"if not, set data.values: {values_line(labels.values)}",
        )
    ]  # fmt: skip


def _named_otherwise(context: Context, labels: LabelMap) -> Iterator[Finding]:
    """A first class that surrounds the others as a background does, but has another name."""
    table = context.table
    if context.report is None or labels.background is not None or table.colored != labels.is_colored:
        return
    ids = labels.ids(table.values)
    values, void = ([int(value) for value in table.values[ids == i]] for i in (0, IGNORE_INDEX))
    if values and surrounds(table, *values, void=void):
        name = labels.names[0]
        yield Finding(
            code="background-name", severity="warning",
            what=f"{name} surrounds the other classes, but counts as foreground",
            why="only a class called background is left out of foreground scores", count=context.total,
            total=context.total, advice=f"if it is the background, call it background instead of {name}",
        )  # fmt: skip


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
