"""Findings about what masks hold, and how they are stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from kseg.data.inspection.checks.context import Context
from kseg.data.inspection.findings import Finding
from kseg.data.inspection.suggest import outerness, suggest, unknown_values
from kseg.data.inspection.survey import MaskFacts
from kseg.errors import abbreviate
from kseg.labels import IGNORE, IGNORE_INDEX, LabelMap, values_line

__all__ = ["empty", "ignored", "inverted", "named", "stored", "unsettled", "values"]

_MANY_VALUES: Final = 16
"""More unknown values than this look like smoothed edges rather than like classes."""
_MUCH_IGNORED: Final = 0.2
_TURNED_OUT: Final = 0.2
"""By how much more of the border than of the middle a foreground covers that is none."""

_WHY: Final = {
    "zero-255": "255 is the object here; a program that takes it for 'ignore' trains on nothing",
    "inverted": "255 surrounds 0 in the pictures: 0 is the object, and whoever takes 255 for it learns the opposite",
    "labels-from-one": "taken as they are, every class would be the next one",
    "void": "one value more than there are classes usually marks pixels whose truth is unknown",
    "smoothed": "smoothed edges and JPEG leave values between the classes' own",
    "colors": "colours mean nothing until each is given a class",
    "unlisted-values": "a value without a meaning cannot be learned",
}


def values(context: Context) -> Iterator[Finding]:
    """Mask values without a meaning."""
    labels, table = context.labels, context.table
    if labels is None or not len(table.values):
        return
    unknown = unknown_values(table, labels)
    if not len(unknown):
        return
    masks = [one for _, one in context.each() if one.mask is not None]
    among = np.isin(table.values, unknown)
    keys = tuple(one.sample.key for one in masks if one.mask and _holds(one.mask, unknown))
    fix = _fix(context, unknown)
    code = _kind(context, unknown, fix)
    counts = zip(table.values[among], table.masks[among], strict=True)
    yield Finding(
        code=code, severity="error", what=_WHAT[code], why=_WHY[code], count=len(keys), total=len(masks), files=keys,
        expected=f"data.values: {values_line(labels.values)}",
        found=abbreviate(f"{table.name(int(value))} (in {count} of {len(masks)} masks)" for value, count in counts),
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


def _kind(context: Context, unknown: Any, fix: Mapping[str, Any]) -> str:
    table, names = context.table, context.labels.names if context.labels else ()
    found = [int(value) for value in table.values]
    if table.colored:
        return "colors"
    if found == [0, IGNORE_INDEX]:
        return "inverted" if fix.get("data.values", {}).get(IGNORE_INDEX) == "background" else "zero-255"
    if "data.threshold" in fix or "data.match" in fix or len(unknown) > _MANY_VALUES:
        return "smoothed"
    if found == list(range(1, len(found) + 1)) and len(found) <= len(names) + 1:
        return "labels-from-one"
    return "void" if len(unknown) == 1 and len(found) > len(names) else "unlisted-values"


def _fix(context: Context, unknown: Any) -> dict[str, Any]:
    labels = context.labels
    given = context.spec.values
    if labels is None:
        return {}
    if given and not context.table.colored and len(unknown) <= _MANY_VALUES:
        # The user has said what the others mean.
        return {"data.values": {**labels.values, **{int(value): IGNORE for value in unknown}}}
    found = suggest(context.table, context.spec.classes or labels.names)
    return {f"data.{key}": value for key, value in (found or {}).items() if key != "classes"}


def _advice(code: str, context: Context) -> str | None:
    if code == "smoothed":
        return "save the masks unsmoothed as PNG"
    if code in ("unlisted-values", "colors"):
        first = context.labels.names[-1] if context.labels else "object"
        value = context.table.name(int(context.table.values[0]))
        return f"say what each value is, e.g. data.values: {{{value!r}: {first}, other: background}}"
    return None


def unsettled(context: Context) -> Iterator[Finding]:
    """Classes that nobody named and that the masks alone do not settle."""
    if context.labels is not None:
        return
    found = suggest(context.table, None)
    shown = [context.table.name(int(value)) for value in context.table.values]
    yield Finding(
        code="unsettled-classes", severity="error", what="the classes cannot be told from the masks",
        why="the masks hold too many different values, or too few, to be one class each",
        count=context.total, total=context.total, found=f"{len(shown)} values: {abbreviate(shown)}",
        fix={f"data.{key}": value for key, value in (found or {}).items()},
        advice="name the classes with --classes, and their values with data.values",
    )  # fmt: skip


def named(context: Context) -> Iterator[Finding]:
    """Traps of the values that the settings deal with: worth knowing for other programs."""
    labels, table = context.labels, context.table
    if labels is None or context.report is None or table.colored:
        return
    found = [int(value) for value in table.values]
    if IGNORE_INDEX in found and labels.values.get(IGNORE_INDEX, IGNORE) != IGNORE and labels.threshold is None:
        what = f"masks hold {{{', '.join(map(str, found))}}}, where 255 is {labels.values[IGNORE_INDEX]}, not 'ignore'"
        yield _note(context, "zero-255", what, _WHY["zero-255"], labels)
    elif found[0] == 1:
        yield _note(context, "labels-from-one", "labels on disk start at 1", _WHY["labels-from-one"], labels)


def _note(context: Context, code: str, what: str, why: str, labels: LabelMap) -> Finding:
    return Finding(
        code=code, severity="note", what=what, why=why, count=context.total, total=context.total,
        advice=f"dealt with by data.values: {values_line(labels.values)}",
    )  # fmt: skip


_STORED: Final[Mapping[str, tuple[str, str]]] = {
    "P": ("palette pictures", "the indices are the values, whatever colours they show"),
    "RGB": ("RGB pictures", "their equal channels hold one value"),
    "RGBA": ("RGBA pictures", "their equal channels hold one value, or it is drawn in the alpha"),
    "LA": ("grey pictures with an alpha channel", "the grey is the value, or it is drawn in the alpha"),
}


def stored(context: Context) -> Iterator[Finding]:
    """Masks that are not plain grey pictures, and JPEG masks."""
    masks = [(one.sample.key, one.mask) for _, one in context.each() if one.mask and one.mask.header]
    for mode, (kind, how) in _STORED.items():
        keys = tuple(key for key, mask in masks if mask.header and mask.header.mode == mode and not mask.colored)
        if keys:
            yield Finding(
                code=f"{mode.lower()}-masks", severity="note",
                what=f"{len(keys)} of {len(masks)} masks are stored as {kind}",
                why=f"{how}; programs that expect one grey channel read something else",
                count=len(keys), total=len(masks), files=keys, advice="nothing to set",
            )  # fmt: skip
    keys = tuple(key for key, mask in masks if mask.header and mask.header.format in ("JPEG", "MPO"))
    if keys:
        yield Finding(
            code="jpeg-masks", severity="warning", what=f"{len(keys)} of {len(masks)} masks are JPEG files",
            why=_WHY["smoothed"], count=len(keys), total=len(masks), files=keys,
            advice="draw or save them as PNG; until then data.threshold or data.match: nearest takes the nearest class",
        )  # fmt: skip


def inverted(context: Context) -> Iterator[Finding]:
    """A foreground that surrounds the background."""
    labels = context.labels
    if labels is None or context.report is None or not labels.is_binary or context.table.colored:
        return
    ids = labels.ids(context.table.values)
    outer = outerness(context.table)
    foreground = sum(outer[int(v)] for v, i in zip(context.table.values, ids, strict=True) if i == 1)
    if foreground > _TURNED_OUT:
        swap = {labels.names[0]: labels.names[1], labels.names[1]: labels.names[0]}
        values = {value: swap.get(name, name) for value, name in labels.values.items()}
        yield Finding(
            code="inverted", severity="warning", what="the masks look inverted",
            why="the foreground covers the borders of the pictures, and the background their middles",
            count=context.total, total=context.total,
            found=f"{labels.names[1]} on {_share(context, ids, 'border'):.0%} of the borders, "
            f"on {_share(context, ids, 'center'):.0%} of the middles",
            fix={"data.values": values}, advice="look at some with kseg data show",
        )  # fmt: skip


def _share(context: Context, ids: Any, where: str) -> float:
    counts = context.table.border if where == "border" else context.table.center
    return float(context.table.share(counts)[ids == 1].sum())


def empty(context: Context) -> Iterator[Finding]:
    """Masks without any foreground."""
    report, labels = context.report, context.labels
    if report is None or labels is None or labels.background is None:
        return
    keys = tuple(
        one.sample.key
        for split, examined in context.survey.items()
        for one, pixels in zip(examined, report.image_pixels[split], strict=True)
        if one.mask is not None and not pixels[1:].any()
    )
    if keys:
        yield Finding(
            code="empty-masks", severity="warning" if 2 * len(keys) > context.total else "note",
            what=f"{len(keys)} of {context.total} masks show nothing but background",
            why="true negatives teach a network to stay silent; forgotten masks teach it to miss",
            count=len(keys), total=context.total, files=keys,
            advice="see that nothing is on these pictures; leave the others out with data.exclude",
        )  # fmt: skip


def ignored(context: Context) -> Iterator[Finding]:
    """Pixels whose truth is unknown."""
    report = context.report
    if report is None:
        return
    shares = {split: share for split, share in report.ignored.items() if share > 0}
    if shares:
        count = sum(int((pixels > 0).sum()) for pixels in report.ignored_pixels.values())
        yield Finding(
            code="ignored", severity="warning" if max(shares.values()) > _MUCH_IGNORED else "note",
            what=f"pixels are ignored in {count} of {context.total} masks",
            why="they count in no loss and no score", count=count, total=context.total,
            found=", ".join(f"{share:.1%} of {split}" for split, share in shares.items()), advice="nothing to set",
        )  # fmt: skip
