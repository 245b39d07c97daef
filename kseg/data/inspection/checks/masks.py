"""Findings about the values in masks, and how masks are stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from kseg.data.inspection.checks.context import Context
from kseg.data.inspection.findings import Finding

__all__ = ["empty", "ignored", "stored"]

_MUCH_IGNORED: Final = 0.2
_SHADES: Final = "smoothed edges and JPEG compression leave values between those of the classes"

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
            why=_SHADES, count=len(keys), total=len(masks), files=keys,
            advice="save them as PNG; until then, data.threshold or data.match: nearest maps values to classes",
        )  # fmt: skip


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
