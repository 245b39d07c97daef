"""`kseg.check`: find the mistakes of a data set."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from kseg.api.progress import progress_bar
from kseg.api.settings import dotted_keys, load_target
from kseg.config import Config, to_brief_yaml
from kseg.data.inspection.findings import Finding
from kseg.data.inspection.fix import Round, check_and_fix
from kseg.data.spec import DataSpec
from kseg.errors import abbreviate
from kseg.files import expand_home, require_new, write_text
from kseg.html import rich_html
from kseg.images import printable

__all__ = ["DataCheck", "check"]


@dataclass(frozen=True, repr=False)
class DataCheck:
    """The result of `check`. It is shown as text in a notebook.

    Args:
        data: The settings that the data set was read with.
        counts: Split → its number of samples.
        findings: Errors first, then warnings and notes.
        fixes: Dotted key → value, of the settings that were corrected in the written configuration.
        unfixed: The errors that no setting corrects.
    """

    data: DataSpec
    counts: Mapping[str, int]
    findings: tuple[Finding, ...]
    fixes: Mapping[str, Any]
    unfixed: tuple[Finding, ...]

    @property
    def errors(self) -> list[Finding]:
        """The findings that prevent a training."""
        return [finding for finding in self.findings if finding.severity == "error"]

    def text(self, heading: Callable[[Finding], str] = lambda finding: f"{finding.severity:<8}") -> str:
        """The report as text.

        Args:
            heading: Returns the first word of a finding. Defaults to its severity; the command line adds a colour.
        """
        counts = ", ".join(f"{name} {count}" for name, count in self.counts.items())
        where = f"annotations {self.data.annotations}" if self.data.annotations else f"masks {self.data.masks}"
        total = sum(self.counts.values())
        head = f"{self.data.root}: {total} samples ({counts}); {self.data.format}: images {self.data.images}, {where}"
        blocks = [f"{heading(finding)} {_block(finding)}" for finding in self.findings]
        return "\n\n".join([head, *(blocks or ["no problems found"])])

    def to_json(self) -> dict[str, Any]:
        """The samples and findings as plain JSON types."""
        facts = {"root": str(self.data.root), "format": self.data.format, "samples": dict(self.counts)}
        return {**facts, "broken": bool(self.errors), "findings": [finding.to_json() for finding in self.findings]}

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return rich_html(Text(self.text()))


def check(
    target: str | os.PathLike[str], *, fix_config: str | os.PathLike[str] | None = None, **settings: Any
) -> DataCheck:
    """Read every image and mask, and report each mistake with its consequence and the setting that corrects it.

    The command ``kseg data check`` does the same.

    Args:
        target: A folder of any supported layout, or a YAML file.
        fix_config: A YAML file to write, in which the settings are corrected. Defaults to none.
        settings: Keys of the configuration, which replace those of the target, as in `kseg.fit`.

    Returns:
        The findings; ``print`` shows them.

    Raises:
        UnknownNameError: There is no such setting.
        ConfigError: The configuration is wrong.
        DataError: There are no samples, or the layout of the folder is unknown.
        OutputError: The file of ``fix_config`` exists already, or cannot be written.

    Example:

    ::

        result = kseg.check("photos")
        result.errors, result.findings
        kseg.check("photos", classes=["background", "cat"], fix_config="photos.yaml")
    """
    overrides = dotted_keys(settings, function="kseg.check")
    if fix_config is not None:
        require_new(expand_home(fix_config), remedy="choose another file for the configuration, or remove this one")
    with progress_bar("reading") as progress:
        first, last = check_and_fix(
            lambda fixes: load_target(target, _replace(overrides, fixes)), lambda config: config.data,
            fix=fix_config is not None, on_progress=progress,
        )  # fmt: skip
    if fix_config is not None:
        _write(expand_home(fix_config), target, last)
    inspection = first.inspection
    return DataCheck(
        first.settings.data, inspection.counts, inspection.findings, last.fixes, tuple(last.inspection.errors)
    )


def _replace(overrides: Mapping[str, Any], fixes: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides, replaced by the fixes of the same keys."""
    return {key: value for key, value in overrides.items() if key not in fixes} | dict(fixes)


def _write(path: Path, target: str | os.PathLike[str], last: Round[Config]) -> None:
    fixed = ", ".join(last.fixes) or "none"
    header = f"Written by kseg data check {os.fspath(target)}; settings that it corrected: {fixed}\n  kseg fit {path}"
    write_text(path, to_brief_yaml(last.settings, header))


def _block(finding: Finding) -> str:
    lines: Sequence[tuple[str, str | None]] = [
        ("found", finding.found),
        ("files", abbreviate(map(printable, finding.files)) if finding.count < finding.total else None),
        ("why", finding.why),
        *(("fix", line) for line in finding.lines),
        ("or" if finding.fix else "do", finding.advice),
    ]
    return "\n".join([f"{finding.what}  [{finding.code}]", *(f"  {name:<6} {text}" for name, text in lines if text)])
