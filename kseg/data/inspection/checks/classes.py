"""Findings about classes: absent ones, rare ones, gaps in their numbers, crowds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, Final

from kseg.data.inspection.checks.context import Context, Dropping
from kseg.data.inspection.findings import Finding
from kseg.data.objects import OBJECT_VOID, Objects
from kseg.data.run_lengths import area
from kseg.data.sample import SPLITS, SplitName
from kseg.errors import abbreviate
from kseg.labels import IGNORE, LabelMap

__all__ = ["absent", "crowds", "gaps", "rare"]

_RARE: Final = 0.02
"""A foreground class with a smaller share of the pixels is easily missed with a plain cross-entropy."""

_FEW_CROWDS: Final = 0.05
"""Share of a class's objects, or pixels, that may be crowds stored as polygons without a question."""


def absent(context: Context) -> Iterator[Finding]:
    """Foreground classes that do not occur in a split: an error in train, a warning elsewhere (no score)."""
    report, labels = context.report, context.labels
    if report is None or labels is None:
        return
    in_question = _classes_in_question(context, labels)
    for split in SPLITS:
        masked = [facts for facts in context.survey.get(split, ()) if facts.mask is not None]
        missing = [
            i for i in labels.foreground if report.class_pixels[split][i] == 0 and labels.names[i] not in in_question
        ]  # fmt: skip
        if masked and missing:
            yield _absent(context, labels, split, missing, len(masked))


def _absent(context: Context, labels: LabelMap, split: SplitName, missing: list[int], masks: int) -> Finding:
    names = [labels.names[i] for i in missing]
    if split == "train" and _are_assumed(context, labels, missing):
        return _assumed(context, labels, missing)
    if split == "train":
        return Finding(
            code="absent-class", severity="error", what=f"no training mask has a pixel of {abbreviate(names)}",
            why="a class that is never shown cannot be learned", count=len(names), total=labels.num_classes,
            expected="every class in the training images", found=f"{masks} training masks",
            advice="correct data.values, add images or change data.split", **_remedy(context, labels, missing),
        )  # fmt: skip
    report = context.report
    learnable = report is not None and all(report.class_images["train"][i] > 1 for i in missing)
    return Finding(
        code="absent-class", severity="warning",
        what=f"no mask of the split {split} has a pixel of {abbreviate(names)}: it has no score there",
        why="a class without pixels in a split cannot be scored there", count=len(names), total=labels.num_classes,
        fix={"data.split.stratify": True} if context.by_fractions and learnable and not context.is_stratified else {},
        advice="add images" if not context.by_fractions else None,
    )  # fmt: skip


def _are_assumed(context: Context, labels: LabelMap, missing: Sequence[int]) -> bool:
    """Whether masks in VOC's folders show only the first of VOC's classes, as masks of other classes would."""
    shown = labels.num_classes - len(missing)
    are_default = context.spec.format == "voc" and context.spec.classes is None and not context.spec.values
    return are_default and shown > 1 and list(missing) == list(range(shown, labels.num_classes))


def _assumed(context: Context, labels: LabelMap, missing: Sequence[int]) -> Finding:
    names = [name for i, name in enumerate(labels.names) if i not in missing]
    return Finding(
        code="assumed-classes", severity="question",
        what=f"are the classes those of Pascal VOC? Masks show its first {len(names)} only: {abbreviate(names)}",
        why="labelling tools use the same folders for other classes, which would get wrong names",
        count=context.total, total=context.total, guess={"data.classes": names},
        undecided=tuple(value for value, name in labels.values.items() if name in names),
        advice="if not, name the classes in the order of the mask values, e.g. --classes background,car",
    )  # fmt: skip


def _remedy(context: Context, labels: LabelMap, missing: list[int]) -> Dropping:
    """The settings that mend it: stratify if another split has the classes; else remove them if two or more remain.

    They are removed unasked only where no mask shows them, and the user does not name them.
    """
    report = context.report
    if report is None:
        return {}
    elsewhere = any(pixels[missing].any() for pixels in report.class_pixels.values())
    if elsewhere and context.by_fractions and not context.is_stratified:
        return {"fix": {"data.split.stratify": True}}
    names = [name for i, name in enumerate(labels.names) if i not in missing]
    if len(names) < 2:
        return {}
    removed = _without(context, labels, names)
    return {"guess": removed} if elsewhere or context.spec.classes is not None else {"fix": removed}


def _without(context: Context, labels: LabelMap, names: Sequence[str]) -> dict[str, Any]:
    """The settings for these classes only."""
    settings: dict[str, Any] = {"data.classes": list(names)}
    has_objects = any(isinstance(facts.sample.mask, Objects) for _, facts in context.samples())
    if not has_objects:
        settings["data.values"] = {
            value: name if name in (*names, IGNORE) else IGNORE for value, name in labels.values.items()
        }
    return settings


def rare(context: Context) -> Iterator[Finding]:
    """Foreground classes that cover few of the training pixels."""
    report, labels = context.report, context.labels
    if report is None or labels is None:
        return
    pixels = report.class_pixels["train"]
    share = pixels / max(pixels.sum(), 1)
    few = [i for i in labels.foreground if 0 < share[i] < _RARE]
    if few:
        images = int((report.image_pixels["train"][:, few] > 0).any(axis=1).sum())
        yield Finding(
            code="rare-class", severity="note",
            what=f"{len(few)} of {len(labels.foreground)} classes cover less than {_RARE:.0%} of the training pixels",
            why="a loss that weighs every pixel the same can neglect them; Dice weighs every class the same",
            count=images, total=len(report.image_pixels["train"]),
            found=abbreviate(f"{labels.names[i]} {share[i]:.2%}" for i in few),
            fix={"train.loss": "cross_entropy + dice"},
        )  # fmt: skip


def gaps(context: Context) -> Iterator[Finding]:
    """Category ids that are not consecutive."""
    labels = context.labels
    has_objects = any(isinstance(facts.sample.mask, Objects) for _, facts in context.samples())
    if labels is None or not has_objects:
        return
    ids = sorted(v for v in labels.values if isinstance(v, int) and v != OBJECT_VOID)
    if ids != list(range(len(ids))):
        yield Finding(
            code="id-gaps", severity="note",
            what=f"the {len(ids)} category ids from {ids[0]} to {ids[-1]} have gaps",
            why="ids used as class numbers would leave classes without pixels; kseg maps ids to classes",
            count=context.total, total=context.total, advice="nothing to set",
        )  # fmt: skip


def crowds(context: Context) -> Iterator[Finding]:
    """Crowd regions of COCO; a question where they look like objects that an exporter marked so."""
    masks = {facts.sample.key: facts.sample.mask for _, facts in context.samples()}
    keys = tuple(
        key for key, mask in masks.items()
        if isinstance(mask, Objects) and any(value == OBJECT_VOID for value, _ in mask.runs)
    )  # fmt: skip
    doubtful = _doubtful_crowds([mask for mask in masks.values() if isinstance(mask, Objects)])
    if doubtful:
        yield _crowds_question(context, keys, doubtful)
    elif keys and context.spec.format == "coco":
        yield Finding(
            code="crowds", severity="note",
            what=f"{len(keys)} of {context.total} images have crowd regions (iscrowd)",
            why="a crowd region also contains background, so its pixels are ignored",
            count=len(keys), total=context.total, files=keys,
            advice="set data.crowds: draw to count them as their class",
        )  # fmt: skip


def _classes_in_question(context: Context, labels: LabelMap) -> set[str]:
    """The classes that the question of `crowds` is about."""
    masks = [facts.sample.mask for _, facts in context.samples()]
    return {labels.values[value] for value in _doubtful_crowds([mask for mask in masks if isinstance(mask, Objects)])}


def _crowds_question(context: Context, keys: tuple[str, ...], doubtful: Mapping[int, tuple[int, int]]) -> Finding:
    values = context.labels.values if context.labels is not None else {}
    counts = (f"{values.get(value, value)} {marked} of {total}" for value, (marked, total) in doubtful.items())
    return Finding(
        code="crowds", severity="question",
        what=f"in {len(keys)} of {context.total} images, objects are marked as crowds (iscrowd: 1)",
        why="crowds are ignored; but some exporters mark every object so, and these do not look like crowds",
        count=len(keys), total=context.total, files=keys, found=abbreviate(counts),
        guess={"data.crowds": "draw"}, advice="set data.crowds: ignore if they are crowds",
    )  # fmt: skip


def _doubtful_crowds(masks: Sequence[Objects]) -> dict[int, tuple[int, int]]:
    """Classes whose crowds look like objects: mask value → number of crowds, and of all objects.

    COCO has few crowds, and stores them as run lengths: at most 4 % of the objects of a class in its own files, though
    up to 38 % of the pixels, so a share of the pixels proves nothing there. Crowds are doubtful if they are half of the
    objects of a class or more, or if those stored as polygons are more than 5 % of its objects or pixels.
    """
    marked = Counter(crowd.value for mask in masks for crowd in mask.crowds)
    outlined = Counter(crowd.value for mask in masks for crowd in mask.crowds if crowd.outlined)
    objects = marked + Counter(value for mask in masks for value, _ in mask.runs if value != OBJECT_VOID)
    doubtful = {
        value for value, count in marked.items()
        if 2 * count >= objects[value] or outlined[value] > _FEW_CROWDS * objects[value]
    } | _by_pixels(masks, set(outlined))  # fmt: skip
    return {value: (marked[value], objects[value]) for value in sorted(doubtful)}


def _by_pixels(masks: Sequence[Objects], values: Set[int]) -> set[int]:
    """Those of the classes with more than `_FEW_CROWDS` of their pixels in crowds that are stored as polygons."""
    outlined: Counter[int] = Counter()
    pixels: Counter[int] = Counter()
    for mask in masks:
        for crowd in mask.crowds:
            pixels[crowd.value] += crowd.pixels
            outlined[crowd.value] += crowd.pixels * crowd.outlined
        for value, counts in mask.runs:
            if value in values:
                pixels[value] += area({"size": list(mask.size), "counts": counts})
    return {value for value in values if outlined[value] > _FEW_CROWDS * pixels[value]}
