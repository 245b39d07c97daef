"""`kseg.check`: how a data set is read, its mistakes, and the questions that it leaves open."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from kseg.api.check_text import report
from kseg.api.progress import progress_bar
from kseg.api.settings import check_batch, check_folder, dotted_keys, existing
from kseg.config import Config, Guess, load_config, to_brief_yaml
from kseg.data.inspection.findings import Finding
from kseg.data.inspection.fix import Checked, check_and_fix
from kseg.data.inspection.questions import preview_questions
from kseg.data.spec import DataSpec
from kseg.files import expand_home, require_new, write_text
from kseg.html import rich_html
from kseg.images import write_picture

__all__ = ["DataCheck", "check"]


@dataclass(frozen=True, repr=False)
class DataCheck:
    """The result of `check`. It is shown as text in a notebook.

    Args:
        data: The settings that the data set is read with.
        counts: Split → its number of samples.
        findings: Errors first, then questions, warnings and notes.
        settled: The findings that settings of ``fixes`` and ``guesses`` solve.
        fixes: Dotted key → value, of the settings that are certain and were added.
        guesses: Dotted key → value, of the guesses that were accepted.
        checked: The whole outcome, with the configuration and the facts about each sample.
    """

    data: DataSpec
    counts: Mapping[str, int]
    findings: tuple[Finding, ...]
    settled: tuple[Finding, ...]
    fixes: Mapping[str, Any]
    guesses: Mapping[str, Any]
    checked: Checked[Config]

    @property
    def errors(self) -> list[Finding]:
        """The findings that prevent a training: errors, and questions that are not answered."""
        return [finding for finding in self.findings if finding.prevents]

    @property
    def questions(self) -> list[Finding]:
        """What the data do not decide; ``finding.guess`` is the setting that is guessed."""
        return [finding for finding in self.findings if finding.severity == "question"]

    def text(self, heading: Callable[[str], str] = lambda kind: f"{kind:<9}") -> str:
        """The report as text.

        Args:
            heading: Formats the first word of a line. Defaults to padding; the command line adds a colour.
        """
        inspection = self.checked.inspection
        return report(self.data, inspection, self.settled, {**self.fixes, **self.guesses}, heading)

    def to_json(self) -> dict[str, Any]:
        """The samples and all findings as plain JSON types."""
        facts = {"root": str(self.data.root), "format": self.data.format, "samples": dict(self.counts)}
        findings = [
            finding.to_json() | {"settled": finding in self.settled} for finding in (*self.findings, *self.settled)
        ]
        return {**facts, "broken": bool(self.errors), "findings": findings}

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return rich_html(Text(self.text()))


def check(
    target: str | os.PathLike[str],
    *,
    fix_config: str | os.PathLike[str] | None = None,
    accept_guesses: bool = False,
    preview: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> DataCheck:
    """Read every image and mask, and report how they are read, each mistake, and each question that they leave open.

    Settings of a folder that are certain are applied; of a YAML file, only in the configuration of ``fix_config``. The
    command ``kseg data check`` does the same.

    Args:
        target: A folder of any supported layout, or a YAML file.
        fix_config: A YAML file to write, with every setting that is certain. Guesses are marked in it; no training
            starts with those that are not accepted. Defaults to none.
        accept_guesses: Take every guess as the answer to its question. Defaults to False.
        preview: A PNG or JPEG to write: three samples with each undecided value drawn. Defaults to none.
        settings: Keys of the configuration, which replace those of the target, as in `kseg.fit`.

    Returns:
        The findings; ``print`` shows them.

    Raises:
        UnknownNameError: There is no such setting.
        ConfigError: The configuration is wrong.
        DataError: There are no samples, or the layout of the folder is unknown.
        OutputError: The file of ``fix_config`` or ``preview`` exists already, or cannot be written.

    Example:

    ::

        result = kseg.check("photos")
        result.errors, result.questions
        kseg.check("photos", classes=["background", "cat"], fix_config="photos.yaml")
    """
    overrides = dotted_keys(settings, function="kseg.check")
    for path, name in ((fix_config, "the configuration"), (preview, "the preview")):
        if path is not None:
            require_new(expand_home(path), remedy=f"choose another file for {name}, or remove this one")
    with progress_bar("reading") as progress:
        checked = _check(
            existing(target), overrides, fix=fix_config is not None, accept=accept_guesses, progress=progress
        )
    if preview is not None:
        write_picture(expand_home(preview), preview_questions(checked.inspection))
    if fix_config is not None:
        _write(expand_home(fix_config), target, checked)
    inspection = checked.inspection
    return DataCheck(
        checked.settings.data, inspection.counts, inspection.findings, checked.settled, checked.fixes, checked.guesses,
        checked,
    )  # fmt: skip


def _check(target: Path, overrides: Mapping[str, Any], *, fix: bool, accept: bool, progress: Any) -> Checked[Config]:
    if target.is_dir():
        return check_folder(target, overrides, accept_guesses=accept, on_progress=progress)
    return check_and_fix(
        lambda applied: load_config(target, _replace(overrides, applied)), lambda config: config.data, fix=fix,
        accept_guesses=accept, extra=check_batch, on_progress=progress,
    )  # fmt: skip


def _replace(overrides: Mapping[str, Any], fixes: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides, replaced by the fixes of the same keys."""
    return {key: value for key, value in overrides.items() if key not in fixes} | dict(fixes)


def _write(path: Path, target: str | os.PathLike[str], checked: Checked[Config]) -> None:
    """Write the configuration with what is certain, and with the guesses, marked as such."""
    fixed = ", ".join(checked.fixes) or "none"
    header = f"Written by kseg data check {os.fspath(target)}; settings that it added: {fixed}\n  kseg fit {path}"
    accepted = {key: Guess(value, checked.reasons[key], accepted=True) for key, value in checked.guesses.items()}
    asked = {
        key: Guess(value, finding.what, accepted=False)
        for finding in checked.inspection.findings for key, value in finding.guess.items()
    }  # fmt: skip
    write_text(path, to_brief_yaml(checked.settings, header, guesses={**accepted, **asked}))
