"""Findings about images that are in the data set more than once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kseg.data.inspection.checks.context import Context, Dropping
from kseg.data.inspection.findings import Finding
from kseg.data.inspection.similar import groups
from kseg.data.inspection.survey import SampleFacts
from kseg.data.sample import SplitName
from kseg.errors import abbreviate
from kseg.images import printable

__all__ = ["copies"]


def copies(context: Context) -> Iterator[Finding]:
    """Images that are or look the same: a warning across splits, since scores are then too good; else a note."""
    readable = [(split, facts) for split, facts in context.samples() if facts.image is not None]
    groups_of_copies = groups([facts.image.fingerprint for _, facts in readable if facts.image is not None])
    across = [group for group in groups_of_copies if len({readable[i][0] for i in group}) > 1]
    if across:
        yield _across(context, readable, across)
    within = [group for group in groups_of_copies if group not in across]
    if within:
        keys = tuple(readable[i][1].sample.key for group in within for i in group)
        yield Finding(
            code="copies", severity="note",
            what=f"{len(keys)} pictures occur more than once within a split", why="they count double there",
            count=len(keys), total=context.total, files=keys,
            found=abbreviate(" = ".join(printable(readable[i][1].sample.key) for i in group) for group in within),
            advice="leave the copies out with data.exclude, unless you want them",
        )  # fmt: skip


def _across(
    context: Context, readable: Sequence[tuple[SplitName, SampleFacts]], across: Sequence[Sequence[int]]
) -> Finding:
    # Those in another split than the first of their group, in the order train, val, test.
    later = [i for group in across for i in group if readable[i][0] != readable[group[0]][0]]
    keys = tuple(readable[i][1].sample.key for i in later)

    def name(i: int) -> str:
        return f"{printable(readable[i][1].sample.key)} ({readable[i][0]})"

    pairs = [f"{name(i)} = {name(group[0])}" for group in across for i in group if i in later]
    return Finding(
        code="copies-across-splits", severity="warning",
        what=f"{len(later)} pictures are in two splits, which flatters the scores",
        why="the network is tested on images that it was trained on", count=len(later), total=context.total, files=keys,
        found=abbreviate(pairs), **_setting(context, keys),
    )  # fmt: skip


def _setting(context: Context, keys: Sequence[str]) -> Dropping:
    return {"fix": {"data.split.copies": "together"}} if context.by_fractions else context.dropping(keys)
