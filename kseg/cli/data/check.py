"""``kseg data check``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kseg.cli.data.target import load_target, target_options

if TYPE_CHECKING:
    from kseg.config import Config
    from kseg.data.inspection.findings import Finding
    from kseg.data.inspection.fix import Round

__all__ = ["command"]

COLORS = {"error": "red", "warning": "yellow", "note": "blue"}


@click.command("check")
@target_options
@click.option(
    "--fix-config", metavar="FILE", type=click.Path(path_type=Path),
    help="Write the configuration that mends what settings can mend.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(
    target: Path, classes: str | None, settings: tuple[str, ...], fix_config: Path | None, as_json: bool
) -> None:
    """Read every image and mask, and say what is wrong, why it matters, and which setting mends it.

    Exit code 0: fit to be trained on. 1: something breaks training; with --fix-config, only what settings cannot mend.

    \b
      kseg data check photos                                     a folder, however it is laid out
      kseg data check photos --classes background,cat --fix-config photos.yaml
      kseg data check photos.yaml --json
    """
    from kseg.cli.counting import counting
    from kseg.data.inspection.fix import check_and_fix
    from kseg.files import require_new

    if fix_config is not None:
        require_new(fix_config, remedy="give another name to --fix-config, or remove the file")
    with counting("reading") as progress:
        first, last = check_and_fix(
            lambda fixes: load_target(target, classes, settings, fixes), lambda config: config.data,
            fix=fix_config is not None, on_progress=progress,
        )  # fmt: skip
    click.echo(_as_json(first) if as_json else _as_text(first))
    if fix_config is not None:
        _write(fix_config, target, last)
        click.echo(f"{fix_config}: {len(last.fixes)} settings mended; {_verdict(last.inspection.errors)}", err=True)
    if last.inspection.errors:
        raise click.exceptions.Exit(1)


def _write(path: Path, target: Path, last: Round[Config]) -> None:
    from kseg.config import to_brief_yaml
    from kseg.files import write_text

    made = f"Written by kseg data check {target}; settings that it found: {', '.join(last.fixes) or 'none'}"
    write_text(path, to_brief_yaml(last.settings, f"{made}\n  kseg fit {path}"))


def _verdict(errors: Sequence[Finding]) -> str:
    if not errors:
        return "the data can be trained on"
    return f"{len(errors)} finding{'s are' if len(errors) > 1 else ' is'} left that no setting mends: " + "; ".join(
        finding.what for finding in errors
    )


def _as_json(checked: Round[Config]) -> str:
    data, inspection = checked.settings.data, checked.inspection
    findings = [finding.to_json() for finding in inspection.findings]
    facts = {"root": str(data.root), "format": data.format, "samples": dict(inspection.counts)}
    return json.dumps({**facts, "broken": bool(inspection.errors), "findings": findings}, indent=2)


def _as_text(checked: Round[Config]) -> str:
    data, inspection = checked.settings.data, checked.inspection
    counts = ", ".join(f"{name} {count}" for name, count in inspection.counts.items())
    where = f"annotations {data.annotations}" if data.annotations else f"masks {data.masks}"
    head = f"{data.root}: {sum(inspection.counts.values())} samples ({counts}); {data.format}: images {data.images}, {where}"
    blocks = [head, *(_block(finding) for finding in inspection.findings)]
    return "\n\n".join(blocks if inspection.findings else [head, "nothing to find fault with"])


def _block(finding: Finding) -> str:
    from kseg.errors import abbreviate
    from kseg.images import printable

    rows = [
        ("found", finding.found),
        (
            "files",
            abbreviate(map(printable, finding.files)) if finding.files and finding.count < finding.total else None,
        ),
        ("why", finding.why),
        *(("fix", line) for line in finding.lines),
        ("or" if finding.fix else "do", finding.advice),
    ]
    head = f"{click.style(f'{finding.severity:<8}', fg=COLORS[finding.severity], bold=True)} {finding.what}"
    return "\n".join([f"{head}  [{finding.code}]", *(f"  {name:<6} {text}" for name, text in rows if text)])
