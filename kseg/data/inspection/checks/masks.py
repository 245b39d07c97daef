"""Findings about the values in masks, and how masks are stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from kseg.data.inspection.checks.context import Context
from kseg.data.inspection.findings import Finding
from kseg.data.inspection.suggest import border_excess, suggest, unknown_values
from kseg.data.inspection.survey import MaskFacts
from kseg.errors import abbreviate
from kseg.labels import IGNORE, IGNORE_INDEX, LabelMap, values_line

__all__ = ["empty", "ignored", "inverted", "named", "stored", "unsettled", "values"]

_MANY_VALUES: Final = 16
"""More unknown values than this look like smoothed edges rather than like classes."""
_MUCH_IGNORED: Final = 0.2
_INVERTED: Final = 0.2
"""A foreground that covers this much more of the borders than of the centres is probably the background."""

_WHY: Final = {
    "zero-255": "255 is the object here; programs that take 255 for 'ignore' would train on no object",
    "inverted": "255 surrounds 0 in the masks: 0 is the object; with 255 as the object, the opposite would be learned",
    "labels-from-one": "used as class ids, they would be off by one",
    "void": "one value more than there are classes usually marks pixels of unknown ground truth",
    "smoothed": "smoothed edges and JPEG compression leave values between those of the classes",
    "colors": "each colour has to be mapped to a class",
    "unlisted-values": "a value without a class cannot be learned",
}


def values(context: Context) -> Iterator[Finding]:
    """Mask values that are not in the label map."""
    labels, table = context.labels, context.table
    if labels is None or not len(table.values):
        return
    unknown = unknown_values(table, labels)
    if not len(unknown):
        return
    masked = [facts for _, facts in context.samples() if facts.mask is not None]
    is_unknown = np.isin(table.values, unknown)
    keys = tuple(facts.sample.key for facts in masked if facts.mask and _holds(facts.mask, unknown))
    fix = _fix(context, unknown)
    code = _code(context, unknown, fix)
    counts = zip(table.values[is_unknown], table.masks[is_unknown], strict=True)
    yield Finding(
        code=code, severity="error", what=_WHAT[code], why=_WHY[code],
        count=len(keys), total=len(masked), files=keys,
        expected=f"data.values: {values_line(labels.values)}",
        found=abbreviate(f"{table.name(int(value))} (in {count} of {len(masked)} masks)" for value, count in counts),
        fix=fix, advice=_advice(code, context),
    )  # fmt: skip


def _holds(mask: MaskFacts, unknown: Any) -> bool:
    return mask.colored or bool(np.isin(mask.values, unknown).any())


_WHAT: Final = {
    "zero-255": "masks hold 0 and 255, values that data.values does not name",
    "inverted": "masks hold 0 and 255, values that data.values does not name, and look inverted",
    "labels-from-one": "masks hold labels from 1 on, values that data.values does not name",
    "void": "masks hold one value more than there are classes",
    "smoothed": "masks hold values in between, which data.values does not name",
    "colors": "masks show colours, which data.values does not name",
    "unlisted-values": "masks hold values that data.values does not name",
}


def _code(context: Context, unknown: Any, fix: Mapping[str, Any]) -> str:
    table, names = context.table, context.labels.names if context.labels else ()
    values = [int(value) for value in table.values]
    if table.colored:
        return "colors"
    if values == [0, IGNORE_INDEX]:
        return "inverted" if fix.get("data.values", {}).get(IGNORE_INDEX) == "background" else "zero-255"
    if "data.threshold" in fix or "data.match" in fix or len(unknown) > _MANY_VALUES:
        return "smoothed"
    if values == list(range(1, len(values) + 1)) and len(values) <= len(names) + 1:
        return "labels-from-one"
    return "void" if len(unknown) == 1 and len(values) > len(names) else "unlisted-values"


def _fix(context: Context, unknown: Any) -> dict[str, Any]:
    labels = context.labels
    configured = context.spec.values
    if labels is None:
        return {}
    if configured and not context.table.colored and len(unknown) <= _MANY_VALUES:
        # The user has configured the other values.
        return {"data.values": {**labels.values, **{int(value): IGNORE for value in unknown}}}
    suggested = suggest(context.table, context.spec.classes or labels.names)
    return {f"data.{key}": value for key, value in (suggested or {}).items() if key != "classes"}


def _advice(code: str, context: Context) -> str | None:
    if code == "smoothed":
        return "save the masks as PNG, without smoothing"
    if code in ("unlisted-values", "colors"):
        first = context.labels.names[-1] if context.labels else "object"
        value = context.table.name(int(context.table.values[0]))
        return f"say what each value is, e.g. data.values: {{{value!r}: {first}, other: background}}"
    return None


def unsettled(context: Context) -> Iterator[Finding]:
    """Classes that are not configured and cannot be inferred from the masks."""
    if context.labels is not None:
        return
    suggested = suggest(context.table, None)
    values = [context.table.name(int(value)) for value in context.table.values]
    yield Finding(
        code="unsettled-classes", severity="error", what="the classes cannot be inferred from the masks",
        why="the masks have too many different values, or too few, to be one class each",
        count=context.total, total=context.total, found=f"{len(values)} values: {abbreviate(values)}",
        fix={f"data.{key}": value for key, value in (suggested or {}).items()},
        advice="name the classes with --classes, and their values with data.values",
    )  # fmt: skip


def named(context: Context) -> Iterator[Finding]:
    """Unusual mask values that the settings handle, but other programs may not."""
    labels, table = context.labels, context.table
    if labels is None or context.report is None or table.colored:
        return
    values = [int(value) for value in table.values]
    if IGNORE_INDEX in values and labels.values.get(IGNORE_INDEX, IGNORE) != IGNORE and labels.threshold is None:
        what = f"masks hold {{{', '.join(map(str, values))}}}, where 255 is {labels.values[IGNORE_INDEX]}, not 'ignore'"
        yield _note(context, "zero-255", what, _WHY["zero-255"], labels)
    elif values[0] == 1:
        yield _note(context, "labels-from-one", "labels on disk start at 1", _WHY["labels-from-one"], labels)


def _note(context: Context, code: str, what: str, why: str, labels: LabelMap) -> Finding:
    return Finding(
        code=code, severity="note", what=what, why=why, count=context.total, total=context.total,
        advice=f"handled by data.values: {values_line(labels.values)}",
    )  # fmt: skip


_STORED: Final[Mapping[str, tuple[str, str]]] = {
    "P": ("palette pictures", "the palette indices are the values"),
    "RGB": ("RGB pictures", "the channels are equal and hold the value"),
    "RGBA": ("RGBA pictures", "the equal channels, or the alpha, hold the value"),
    "LA": ("grey pictures with an alpha channel", "the grey channel, or the alpha, holds the value"),
}


def stored(context: Context) -> Iterator[Finding]:
    """Masks with another mode than one grey channel, and JPEG masks."""
    masks = [(facts.sample.key, facts.mask) for _, facts in context.samples() if facts.mask and facts.mask.header]
    for mode, (kind, how) in _STORED.items():
        keys = tuple(key for key, mask in masks if mask.header and mask.header.mode == mode and not mask.colored)
        if keys:
            yield Finding(
                code=f"{mode.lower()}-masks", severity="note",
                what=f"{len(keys)} of {len(masks)} masks are stored as {kind}",
                why=f"{how}; programs that expect one grey channel read other values",
                count=len(keys), total=len(masks), files=keys, advice="nothing to set",
            )  # fmt: skip
    keys = tuple(key for key, mask in masks if mask.header and mask.header.format in ("JPEG", "MPO"))
    if keys:
        yield Finding(
            code="jpeg-masks", severity="warning", what=f"{len(keys)} of {len(masks)} masks are JPEG files",
            why=_WHY["smoothed"], count=len(keys), total=len(masks), files=keys,
            advice="save them as PNG; until then, data.threshold or data.match: nearest maps values to classes",
        )  # fmt: skip


def inverted(context: Context) -> Iterator[Finding]:
    """Binary masks in which the foreground surrounds the background."""
    labels = context.labels
    if labels is None or context.report is None or not labels.is_binary or context.table.colored:
        return
    ids = labels.ids(context.table.values)
    excess = border_excess(context.table)
    foreground = sum(excess[int(v)] for v, i in zip(context.table.values, ids, strict=True) if i == 1)
    if foreground > _INVERTED:
        swap = {labels.names[0]: labels.names[1], labels.names[1]: labels.names[0]}
        values = {value: swap.get(name, name) for value, name in labels.values.items()}
        yield Finding(
            code="inverted", severity="warning", what="the masks look inverted",
            why="the foreground covers the borders of the masks, and the background their centres",
            count=context.total, total=context.total,
            found=f"{labels.names[1]} on {_share(context, ids, 'border'):.0%} of the borders, "
            f"on {_share(context, ids, 'center'):.0%} of the centres",
            fix={"data.values": values}, advice="look at some with kseg data show",
        )  # fmt: skip


def _share(context: Context, ids: Any, where: str) -> float:
    counts = context.table.border if where == "border" else context.table.center
    return float(context.table.share(counts)[ids == 1].sum())


def empty(context: Context) -> Iterator[Finding]:
    """Masks with background only."""
    report, labels = context.report, context.labels
    if report is None or labels is None or labels.background is None:
        return
    keys = tuple(
        facts.sample.key
        for split, examined in context.survey.items()
        for facts, pixels in zip(examined, report.image_pixels[split], strict=True)
        if facts.mask is not None and not pixels[1:].any()
    )
    if keys:
        yield Finding(
            code="empty-masks", severity="warning" if 2 * len(keys) > context.total else "note",
            what=f"{len(keys)} of {context.total} masks show nothing but background",
            why="true negatives reduce false positives; objects that were not annotated teach the network to miss them",
            count=len(keys), total=context.total, files=keys,
            advice="check that there is no object in these images; leave the others out with data.exclude",
        )  # fmt: skip


def ignored(context: Context) -> Iterator[Finding]:
    """Pixels of unknown ground truth, which are ignored."""
    report = context.report
    if report is None:
        return
    shares = {split: share for split, share in report.ignored.items() if share > 0}
    if shares:
        count = sum(int((pixels > 0).sum()) for pixels in report.ignored_pixels.values())
        yield Finding(
            code="ignored", severity="warning" if max(shares.values()) > _MUCH_IGNORED else "note",
            what=f"pixels are ignored in {count} of {context.total} masks",
            why="losses and scores leave them out", count=count, total=context.total,
            found=", ".join(f"{share:.1%} of {split}" for split, share in shares.items()), advice="nothing to set",
        )  # fmt: skip
