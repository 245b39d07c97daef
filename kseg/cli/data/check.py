"""``kseg data check``: find the mistakes of a data set."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kseg.cli.data.target import overrides_of, target_options
from kseg.cli.options import PATH

if TYPE_CHECKING:
    from kseg.data.inspection.findings import Finding

__all__ = ["command"]

COLORS = {"error": "red", "warning": "yellow", "note": "blue"}


@click.command("check")
@target_options
@click.option(
    "--fix-config", metavar="FILE", type=PATH,
    help="Write a configuration with corrected settings.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(
    target: Path, classes: str | None, settings: tuple[str, ...], fix_config: Path | None, as_json: bool
) -> None:
    """Read every image and mask, and report each mistake with its consequence and the setting that corrects it.

    Exits with 1 if there are errors, which prevent a training; with --fix-config, if there are errors that no setting
    corrects.

    \b
      kseg data check photos                                     a folder of any supported layout
      kseg data check photos --classes background,cat --fix-config photos.yaml
      kseg data check photos.yaml --json
    """
    import kseg

    checked = kseg.check(target, fix_config=fix_config, **overrides_of(classes, settings))
    click.echo(json.dumps(checked.to_json(), indent=2) if as_json else checked.text(_heading))
    if fix_config is not None:
        click.echo(f"{fix_config}: {len(checked.fixes)} settings corrected; {_verdict(checked.unfixed)}", err=True)
    if checked.unfixed:
        raise click.exceptions.Exit(1)


def _heading(finding: Finding) -> str:
    return click.style(f"{finding.severity:<8}", fg=COLORS[finding.severity], bold=True)


def _verdict(errors: Sequence[Finding]) -> str:
    if not errors:
        return "the data can be trained on"
    return f"{len(errors)} error{'s' if len(errors) > 1 else ''} that no setting corrects: " + "; ".join(
        finding.what for finding in errors
    )
