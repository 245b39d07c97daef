"""Findings about pictures that stand in the data set twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kseg.data.inspection.checks.context import Context
from kseg.data.inspection.findings import Finding
from kseg.data.inspection.similar import groups
from kseg.data.inspection.survey import Examined
from kseg.data.sample import SplitName
from kseg.errors import abbreviate
from kseg.images import printable

__all__ = ["copies"]


def copies(context: Context) -> Iterator[Finding]:
    """Pictures that are, or look, the same: across splits they flatter the scores."""
    shown = [(split, one) for split, one in context.each() if one.image is not None]
    same = groups([one.image.fingerprint for _, one in shown if one.image is not None])
    across = [group for group in same if len({shown[i][0] for i in group}) > 1]
    if across:
        yield _across(context, shown, across)
    within = [group for group in same if group not in across]
    if within:
        keys = tuple(shown[i][1].sample.key for group in within for i in group)
        yield Finding(
            code="copies", severity="note",
            what=f"{len(keys)} pictures stand more than once within a split", why="they count double there",
            count=len(keys), total=context.total, files=keys,
            found=abbreviate(" = ".join(printable(shown[i][1].sample.key) for i in group) for group in within),
            advice="leave the copies out with data.exclude, if they are none that you want",
        )  # fmt: skip


def _across(context: Context, shown: Sequence[tuple[SplitName, Examined]], across: Sequence[Sequence[int]]) -> Finding:
    # All but the first of each group, in the order train, val, test.
    later = [i for group in across for i in group if shown[i][0] != shown[group[0]][0]]
    keys = tuple(shown[i][1].sample.key for i in later)

    def name(i: int) -> str:
        return f"{printable(shown[i][1].sample.key)} ({shown[i][0]})"

    pairs = [f"{name(i)} = {name(group[0])}" for group in across for i in group if i in later]
    return Finding(
        code="copies-across-splits", severity="warning",
        what=f"{len(later)} pictures are in two splits, which flatters the scores",
        why="the network is asked what it has been told", count=len(later), total=context.total, files=keys,
        found=abbreviate(pairs), fix=_fix(context, keys),
    )  # fmt: skip


def _fix(context: Context, keys: Sequence[str]) -> dict[str, Any]:
    return {"data.split.copies": "together"} if context.by_fractions else context.excluding(keys)
