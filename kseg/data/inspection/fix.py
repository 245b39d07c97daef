"""Check a data set, apply the settings that are certain, and check again until there are no new ones."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from kseg.data.formats.layout.read import Layout, read_layout
from kseg.data.inspection.findings import OF_CLASSES, OF_TRAINING, Finding
from kseg.data.inspection.inspect import Inspection, inspect_data
from kseg.data.spec import DataSpec
from kseg.errors import DataError
from kseg.parallel import Progress

__all__ = ["Checked", "check_and_fix", "read_folder"]

Settings = TypeVar("Settings")

_MOST_ROUNDS: Final = 8
"""Largest number of repeated checks; each may reveal problems that the earlier ones hid."""


@dataclass(frozen=True)
class Checked(Generic[Settings]):
    """The outcome of `check_and_fix`.

    Args:
        settings: All settings, those applied included.
        fixes: Dotted key → value, of the settings that were applied because they are certain.
        guesses: Dotted key → value, of the guesses that were applied because the caller accepts guesses.
        reasons: Dotted key of each guess → the question that it answers.
        settled: The findings that these settings solved.
        inspection: The last check.
    """

    settings: Settings
    fixes: Mapping[str, Any]
    guesses: Mapping[str, Any]
    reasons: Mapping[str, str]
    settled: tuple[Finding, ...]
    inspection: Inspection

    @property
    def lines(self) -> list[str]:
        """What was settled, for a log: ``data.values: {0: background, 255: foreground} (masks hold …)``."""
        return [f"{'; '.join(finding.lines)} ({finding.what})" for finding in self.settled if finding.fix]


def check_and_fix(
    load: Callable[[Mapping[str, Any]], Settings],
    spec_of: Callable[[Settings], DataSpec],
    *,
    fix: bool,
    accept_guesses: bool = False,
    layout: Layout | None = None,
    extra: Callable[[Settings, Inspection], list[Finding]] | None = None,
    skip: Collection[str] = (),
    on_progress: Progress | None = None,
) -> Checked[Settings]:
    """Check a data set and optionally apply the suggested settings.

    Args:
        load: From overrides by dotted key to all settings, the user's included.
        spec_of: From all settings to their DataSpec.
        fix: Whether to apply settings that are certain, and check again.
        accept_guesses: Whether to apply guesses, too.
        layout: How the folder was read; None if the settings say it.
        extra: Further checks, of settings that the data room does not know.
        skip: Codes of findings to leave out.
        on_progress: Called after each sample.

    Raises:
        ConfigError, DataError: See `inspect_data`.
    """

    def inspect(settings: Settings, layout: Layout | None, earlier: Inspection | None) -> Inspection:
        inspection = inspect_data(spec_of(settings), layout=layout, earlier=earlier, on_progress=on_progress)
        more = extra(settings, inspection) if extra else []
        is_asked = any(finding.severity == "question" and finding.undecided for finding in inspection.findings)
        left_out = {*skip, *(OF_CLASSES if is_asked else ())}
        findings = [finding for finding in (*inspection.findings, *more) if finding.code not in left_out]
        return inspection.with_findings(findings)

    with _each_warning_once():
        return _rounds(load, inspect, layout, fix=fix, accept_guesses=accept_guesses)


@contextmanager
def _each_warning_once() -> Iterator[None]:
    """Within the block, repeated checks log warnings only, and each of them once."""
    logged: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        is_repeated = message in logged
        logged.add(message)
        return record.levelno >= logging.WARNING and not is_repeated

    logger = logging.getLogger("kseg")
    logger.addFilter(is_new)
    try:
        yield
    finally:
        logger.removeFilter(is_new)


def _rounds(
    load: Callable[[Mapping[str, Any]], Settings],
    inspect: Callable[[Settings, Layout | None, Inspection | None], Inspection],
    layout: Layout | None,
    *,
    fix: bool,
    accept_guesses: bool,
) -> Checked[Settings]:
    """Check, apply what the findings suggest, and check again until nothing new is suggested."""
    settings = load({})
    checked = Checked(settings, {}, {}, {}, (), inspect(settings, layout, None))
    for _ in range(_MOST_ROUNDS):
        solved = _solved(checked, fix=fix, accept_guesses=accept_guesses)
        if not solved:
            break
        fixes, guesses, reasons = dict(checked.fixes), dict(checked.guesses), dict(checked.reasons)
        for finding in solved:
            fixes |= finding.fix if fix else {}
            guesses |= finding.guess if accept_guesses else {}
            reasons |= dict.fromkeys(finding.guess, finding.what)
        layout = layout and layout.answered(guesses)
        try:
            settings = load({**fixes, **guesses})
            inspection = inspect(settings, layout, checked.inspection)
        except DataError:
            if any(finding.severity != "warning" for finding in solved):
                raise
            break  # what would be better cannot be had: to keep copies together, where all images are copies
        checked = Checked(settings, fixes, guesses, reasons, (*checked.settled, *solved), inspection)
    remaining = {(finding.code, finding.severity) for finding in checked.inspection.findings}
    settled = tuple(finding for finding in checked.settled if (finding.code, finding.severity) not in remaining)
    return dataclasses.replace(checked, settled=settled)


def _solved(checked: Checked[Settings], *, fix: bool, accept_guesses: bool) -> list[Finding]:
    """The findings whose settings are to be applied next.

    Those about the classes, and warnings, only where all others are settled.
    """

    def is_new(finding: Finding) -> bool:
        settings = {**(finding.fix if fix else {}), **(finding.guess if accept_guesses else {})}
        applied = {**checked.fixes, **checked.guesses}
        return any(key not in applied or applied[key] != value for key, value in settings.items())

    suggesting = [finding for finding in checked.inspection.findings if is_new(finding)]
    needed = [finding for finding in suggesting if finding.severity != "warning"]
    return [finding for finding in needed if finding.code not in OF_CLASSES] or needed or suggesting


def read_folder(
    root: Path, told: Mapping[str, Any], *, to_train: bool = True, in_python: bool = False,
    on_progress: Progress | None = None,
) -> Checked[DataSpec]:  # fmt: skip
    """Read the data set in a folder, with every setting that is certain.

    Args:
        root: The folder.
        told: Keyword arguments of `DataSpec` that the caller sets.
        to_train: Whether a training needs the data: every class in it, and images for validation.
        in_python: Whether messages answer a question by arguments, instead of options of the command line.
        on_progress: Called after each sample.

    Raises:
        DataError: The data cannot be used, or a question has to be answered; the message has the setting.
        ConfigError: Settings contradict one another.
    """
    layout = read_layout(root, told)

    def load(applied: Mapping[str, Any]) -> DataSpec:
        return _with_settings(root, {**layout.provisional, **{f"data.{key}": told[key] for key in told}, **applied})

    checked = check_and_fix(
        load, lambda spec: spec, fix=True, layout=layout, skip=() if to_train else OF_TRAINING, on_progress=on_progress
    )
    for finding in checked.inspection.errors:
        raise finding.to_error(root, in_python=in_python)
    return checked


def _with_settings(root: Path, settings: Mapping[str, Any]) -> DataSpec:
    """The spec with settings by dotted key; those of other sections than ``data`` are left out."""
    own = {key.removeprefix("data."): value for key, value in settings.items() if key.startswith("data.")}
    spec = DataSpec(root, **{key: value for key, value in own.items() if "." not in key})
    nested = {key.partition(".")[2]: value for key, value in own.items() if key.startswith("split.")}
    return dataclasses.replace(spec, split=dataclasses.replace(spec.split, **nested)) if nested else spec
