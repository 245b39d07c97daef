"""Everything that is looked for in a data set before it is trained on; `CHECKS` is the table::

    files     unreadable · misnamed · sizes and EXIF · grey · alpha · suffixes
    masks     values without a meaning · how they are stored · inverted · empty · ignored
    classes   absent · rare · gaps in ids · crowds
    copies    the same picture twice

`kseg data check` shows all findings. A training ends before it begins with the first that is an error.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kseg.data.checks import classes, copies, files, masks
from kseg.data.checks.base import Check, Context
from kseg.data.classes import make_labels
from kseg.data.discover import Selection, find_samples
from kseg.data.findings import SEVERITIES, Finding
from kseg.data.parallel import Progress
from kseg.data.report import DatasetReport
from kseg.data.samples import Dataset
from kseg.data.survey import Survey, survey
from kseg.errors import DataError
from kseg.images import printable
from kseg.labels import LabelMap

__all__ = ["CHECKS", "Inspection", "check_dataset", "inspect_data"]

_log = logging.getLogger("kseg")

CHECKS: Final[tuple[Check, ...]] = (
    files.unreadable, files.sizes, masks.unsettled, masks.values, classes.absent, masks.inverted, copies.copies,
    masks.empty, masks.ignored, classes.rare, masks.named, masks.stored, classes.gaps, classes.crowds,
    files.misnamed, files.gray, files.alpha, files.suffixes,
)  # fmt: skip


@dataclass(frozen=True)
class Inspection:
    """What `inspect_data` found.

    Args:
        findings: Errors first, then warnings and notes.
        labels: What the mask values mean; None where that could not be settled.
        report: The counts; None as long as there are errors that keep it from being counted.
        counts: How many samples each split has.
        colored: Whether the masks were read as colours.
        found: What was read.
    """

    findings: tuple[Finding, ...]
    labels: LabelMap | None
    report: DatasetReport | None
    counts: Mapping[str, int]
    colored: bool
    found: Survey

    @property
    def broken(self) -> bool:
        """Whether something keeps the data from being trained on."""
        return any(finding.severity == "error" for finding in self.findings)


def check_dataset(
    dataset: Dataset,
    *,
    settings: Mapping[str, Any] | None = None,
    on_progress: Progress | None = None,
    workers: int | None = None,
) -> DatasetReport:
    """Decode every image and mask, and see that they fit one another and the label map.

    Warnings go to the log: pictures in two splits, classes that validation or test lack, masks that look inverted.

    Args:
        dataset: What to check.
        settings: The configuration's ``data``, so that a remedy fits what it says already.
        on_progress: Told after each sample.
        workers: How many threads. Defaults to one a core.

    Raises:
        DataError: Files cannot be read; a mask has another size than its image; masks hold values that the label map
            does not name; a foreground class is absent from training. The message has the setting that mends it.
    """
    dataset.samples("all")
    found = survey(
        {name: tuple(samples) for name, samples in dataset.splits.items()},
        colors=dataset.labels.is_colored, workers=workers, on_progress=on_progress,
    )  # fmt: skip
    context = Context(dataset.root, found, dataset.labels, settings or _settings_of(dataset))
    for finding in _run(context):
        if finding.severity == "error":
            raise finding.to_error(dataset.root)
        if finding.severity == "warning":
            _log.warning("%s%s", finding.what, f": {finding.found}" if finding.found else "")
    if context.report is None:  # cannot be: what keeps it from being counted is an error above
        raise DataError("the masks cannot be counted", where=printable(dataset.root))
    return context.report


def _settings_of(dataset: Dataset) -> dict[str, Any]:
    """What can be told of the settings from the data set itself."""
    labels = dataset.labels
    default = dict(enumerate(labels.names))
    return {"classes": labels.names, "values": None if labels.values == default else labels.values}


def inspect_data(
    settings: Mapping[str, Any], *, earlier: Inspection | None = None, on_progress: Progress | None = None
) -> Inspection:
    """Find, read and check a data set, and tell everything that there is to tell.

    Args:
        settings: The configuration's ``data`` as `find_dataset` takes it.
        earlier: What was found with other settings: no file is read again that was read the same way.
        on_progress: Told after each sample.

    Raises:
        ConfigError: A folder is missing, or the classes contradict one another.
        DataError: There is nothing to check.
    """
    selection, early = _select(settings)
    colored = _colored(settings)
    known = earlier.found if earlier is not None and earlier.colored == colored else None
    found = survey(selection.splits, colors=colored, known=known, on_progress=on_progress)
    labels = _labels(settings, selection)
    if labels is not None and selection.by_class is not None:
        # Read before, since it is what the masks hold that says which split a sample is in.
        of_sample = {one.sample: one for examined in found.values() for one in examined}
        splits = selection.stratified(labels)
        found = {name: tuple(of_sample[sample] for sample in samples) for name, samples in splits.items()}
    context = Context(selection.root, found, labels, settings)
    findings = [*early, *_run(context)]
    counts: dict[str, int] = {name: len(examined) for name, examined in found.items()}
    return Inspection(tuple(sorted(findings, key=_rank)), context.labels, context.report, counts, colored, found)


def _run(context: Context) -> list[Finding]:
    return [finding for check in CHECKS for finding in check(context)]


def _rank(finding: Finding) -> int:
    return SEVERITIES.index(finding.severity)


def _select(settings: Mapping[str, Any]) -> tuple[Selection, list[Finding]]:
    """The samples; where some have no partner, those that have, and the finding."""
    arguments = {key: value for key, value in settings.items() if key not in _OF_LABELS}
    try:
        return find_samples(**arguments), []
    except DataError as error:
        if settings.get("unpaired") == "skip":
            raise
        try:
            selection = find_samples(**{**arguments, "unpaired": "skip"})
        except DataError:
            raise error from None
        return selection, [_unpaired(error, selection)]


_OF_LABELS: Final = ("colors", "match", "threshold")


def _unpaired(error: DataError, selection: Selection) -> Finding:
    total = sum(map(len, selection.splits.values()))
    return Finding(
        code="unpaired", severity="error", what=error.what, why="a picture without its mask cannot be learned from",
        count=total, total=total, expected=error.expected, fix={"data.unpaired": "skip"}, advice=error.remedy,
    )  # fmt: skip


def _colored(settings: Mapping[str, Any]) -> bool:
    return any(isinstance(value, str) and value.startswith("#") for value in settings.get("values") or ())


def _labels(settings: Mapping[str, Any], selection: Selection) -> LabelMap | None:
    """The label map, or None where nobody named the classes and the masks do not tell them."""
    told = settings.get("values") or selection.values
    try:
        return make_labels(
            settings.get("classes"), told, settings.get("colors"), selection.mask_files(),
            match=settings.get("match", "exact"), threshold=settings.get("threshold"),
        )  # fmt: skip
    except DataError:
        return None
