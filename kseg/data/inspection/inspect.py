"""Check a data set: all findings (`inspect_data`), or its first error before a training (`check_dataset`)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from kseg.data.dataset import Dataset
from kseg.data.find import Selection, find_samples
from kseg.data.formats.common import SKIP_UNPAIRED, UnpairedError
from kseg.data.formats.layout.read import Layout
from kseg.data.inspection.account import Account, account_for, left_out
from kseg.data.inspection.checks.context import MOST_DROPPED, Context, Dropping
from kseg.data.inspection.checks.table import CHECKS
from kseg.data.inspection.counts import DatasetReport
from kseg.data.inspection.findings import SEVERITIES, Finding
from kseg.data.inspection.survey import Survey, survey
from kseg.data.label_map import resolve_label_map
from kseg.data.sample import SPLITS, Sample
from kseg.data.spec import DataSpec, Folders
from kseg.errors import DataError
from kseg.images import printable
from kseg.labels import LabelMap
from kseg.parallel import Progress

__all__ = ["Inspection", "check_dataset", "inspect_data"]

_log = logging.getLogger("kseg")


@dataclass(frozen=True)
class Inspection:
    """The result of `inspect_data`.

    Args:
        findings: Errors first, then warnings and notes.
        labels: The label map; None if the classes are unknown.
        report: The counts of classes; None if errors prevent counting.
        counts: Split → number of samples.
        reads_colors: Whether the masks were read as colours.
        survey: The facts about images and masks.
        account: What is read of the folder and what is left out; None if its layout was not looked for.
        split_by: What decides the split, as in `Selection`.
    """

    findings: tuple[Finding, ...]
    labels: LabelMap | None
    report: DatasetReport | None
    counts: Mapping[str, int]
    reads_colors: bool
    survey: Survey
    account: Account | None = None
    split_by: str = "fractions"

    @property
    def errors(self) -> list[Finding]:
        """The findings that prevent a training: errors, and questions that are not answered."""
        return [finding for finding in self.findings if finding.prevents]

    def with_findings(self, findings: Sequence[Finding]) -> Inspection:
        """A copy with these findings, the worst first."""
        return replace(self, findings=tuple(sorted(findings, key=_rank)))


def check_dataset(
    dataset: Dataset,
    spec: DataSpec | None = None,
    *,
    earlier: Survey | None = None,
    on_progress: Progress | None = None,
    workers: int | None = None,
) -> DatasetReport:
    """Decode every image and mask, and check them against each other and the label map.

    Warnings are logged: images in two splits, classes missing in validation or test.

    Args:
        dataset: The data set.
        spec: The spec of the data set, which the suggested settings extend. Defaults to one made from ``dataset``.
        earlier: An earlier survey, whose samples are not read again.
        on_progress: Called after each sample.
        workers: Number of threads. Defaults to one per core.

    Raises:
        DataError: Files cannot be read, a mask's size differs from its image's, masks have values that are not in the
            label map, or a foreground class does not occur in training. The message suggests a setting.
    """
    dataset.samples("all")
    spec = spec or _spec_of(dataset)
    facts = survey(
        {name: tuple(samples) for name, samples in dataset.splits.items()},
        colors=dataset.labels.is_colored, shapes=not spec.defines_values, earlier=earlier, workers=workers,
        on_progress=on_progress,
    )  # fmt: skip
    context = Context(spec, facts, dataset.labels)
    for finding in _run(context):
        if finding.prevents:
            raise finding.to_error(dataset.root)
        if finding.severity == "warning":
            _log.warning("%s%s", finding.what, f": {finding.found}" if finding.found else "")
    if context.report is None:  # unreachable: whatever prevents counting is an error above
        raise DataError("the masks cannot be counted", where=printable(dataset.root))
    return context.report


def _spec_of(dataset: Dataset) -> DataSpec:
    """A spec with what is known from the data set itself."""
    labels = dataset.labels
    default = dict(enumerate(labels.names))
    return DataSpec(
        dataset.root, classes=labels.names, values=None if labels.values == default else dict(labels.values)
    )


def inspect_data(
    spec: DataSpec,
    *,
    layout: Layout | None = None,
    earlier: Inspection | None = None,
    on_progress: Progress | None = None,
) -> Inspection:
    """Find, read and check a data set.

    Args:
        spec: The data set.
        layout: How its folder was read, to account for its files; None if the settings say it.
        earlier: The result for another spec, whose files are not read again.
        on_progress: Called after each sample.

    Raises:
        ConfigError: A folder is missing, or the classes contradict one another.
        DataError: There is nothing to check.
    """
    selection, unpaired = _select(spec)
    reusable = earlier is not None and earlier.reads_colors == spec.reads_colors
    surveyed = survey(
        selection.splits, colors=spec.reads_colors, shapes=not spec.defines_values,
        earlier=earlier.survey if earlier and reusable else None, on_progress=on_progress,
    )  # fmt: skip
    labels = _labels(spec, selection)
    if labels is not None and selection.by_class is not None:
        # The split is only known after reading the masks.
        by_sample = {examined.sample: examined for samples in surveyed.values() for examined in samples}
        splits = selection.stratified(labels)
        surveyed = {name: tuple(by_sample[sample] for sample in samples) for name, samples in splits.items()}
    context = Context(spec, surveyed, labels)
    account = account_for(layout, spec, _all_samples(spec, selection)) if layout else None
    # What the masks mean decides more than which other pictures there are.
    questions = _layout_questions(layout, context.total) if layout else []
    others = _other_findings(spec, layout, account, selection, not unpaired)
    findings = [*unpaired, *questions, *_run(context), *others]
    findings.sort(key=_rank)
    counts: dict[str, int] = {name: len(samples) for name, samples in surveyed.items()}
    return Inspection(
        tuple(findings), labels, context.report, counts, spec.reads_colors, surveyed, account, selection.split_by
    )


def _all_samples(spec: DataSpec, selection: Selection) -> list[Sample]:
    """The samples, with those that settings exclude."""
    if spec.exclude:
        selection, _ = _select(replace(spec, exclude=()))
    return [sample for samples in selection.splits.values() for sample in samples]


def _layout_questions(layout: Layout, total: int) -> list[Finding]:
    return [
        Finding(
            code="layout", severity="question", what=question.what, why=question.why, count=total, total=total,
            guess=question.guess, advice=question.otherwise,
        )
        for question in layout.questions
    ]  # fmt: skip


def _other_findings(
    spec: DataSpec, layout: Layout | None, account: Account | None, selection: Selection, paired: bool
) -> Iterator[Finding]:
    """What is left out, and how validation images were chosen."""
    if layout is not None and account is not None:
        # Files that do not pair are reported as such.
        finding = left_out(account if paired else replace(account, stray=()), spec, is_told=layout.is_told)
        if finding is not None:
            yield finding
    if selection.val_from_train:
        total = sum(map(len, selection.splits.values()))
        yield Finding(
            code="no-validation", severity="note", what=f"no validation images: {selection.validation()}",
            why="a training needs images that select the best weights", count=0, total=total,
            advice="data.split.val_fraction and data.split.seed change the choice",
        )  # fmt: skip


def _rank(finding: Finding) -> int:
    return SEVERITIES.index(finding.severity)


def _run(context: Context) -> list[Finding]:
    return [finding for check in CHECKS for finding in check(context)]


def _select(spec: DataSpec) -> tuple[Selection, list[Finding]]:
    """The samples; if some files are unpaired, the samples without them and the finding."""
    try:
        return find_samples(spec), []
    except UnpairedError as error:
        if spec.unpaired == "skip":
            raise
        try:
            selection = find_samples(replace(spec, unpaired="skip"))
        except DataError:
            raise error from None
        return selection, [_unpaired(_each_unpaired(spec) or [error], selection)]


def _each_unpaired(spec: DataSpec) -> list[UnpairedError]:
    """The error of each folder of a split by folders; a reading stops at the first one."""
    errors = []
    parts = [getattr(spec.split, name) for name in SPLITS] if isinstance(spec.split, Folders) else []
    for part in filter(None, parts):
        try:
            find_samples(replace(spec, split=Folders(part, "", "")))
        except UnpairedError as error:
            errors.append(error)
        except DataError:
            continue
    return errors


def _unpaired(errors: Sequence[UnpairedError], selection: Selection) -> Finding:
    """Leaving files out is a fix if they are few in each part, else a guess: then the pairing may be wrong."""
    total = sum(map(len, selection.splits.values()))
    few = all(error.count <= MOST_DROPPED * error.total for error in errors)
    setting: Dropping = {"fix": {"data.unpaired": "skip"}} if few else {"guess": {"data.unpaired": "skip"}}
    count = sum(error.count for error in errors)
    return Finding(
        code="unpaired", severity="error", what="; ".join(error.what for error in errors),
        why="images without a mask cannot be used", count=min(count, total), total=total, expected=errors[0].expected,
        # The setting stands in the line before.
        advice=(errors[0].remedy or "").removesuffix(SKIP_UNPAIRED) or None, **setting,
    )  # fmt: skip


def _labels(spec: DataSpec, selection: Selection) -> LabelMap | None:
    """The label map; None if the classes are not configured and cannot be inferred."""
    try:
        return resolve_label_map(spec, selection.values, selection.mask_files())
    except DataError:
        return None
