"""``kseg data check``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from kseg.cli.data.target import load_target, target_options

if TYPE_CHECKING:
    from kseg.config import Config
    from kseg.data import Finding, Inspection

__all__ = ["command"]

ROUNDS = 8
"""As often the data are read again with the settings that the last round asked for; each round may unveil more."""
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
    from kseg.files import require_new

    if fix_config is not None:
        require_new(fix_config, remedy="give another name to --fix-config, or remove the file")
    with counting("reading") as progress:
        first, last = _rounds(
            lambda more: load_target(target, classes, settings, more), progress, mend=fix_config is not None
        )
    click.echo(_as_json(first) if as_json else _as_text(first))
    if fix_config is not None:
        _write(fix_config, target, last)
        left = [finding for finding in last.found.findings if finding.severity == "error"]
        click.echo(f"{fix_config}: {len(last.fixes)} settings mended; {_verdict(left)}", err=True)
    if last.found.broken:
        raise click.exceptions.Exit(1)


class Look(NamedTuple):
    """One look at the data: the settings, those of them that findings asked for, and what was found."""

    config: Config
    fixes: Mapping[str, Any]
    found: Inspection


def _rounds(
    load: Callable[[Mapping[str, Any]], Config], progress: Callable[[int, int], None], *, mend: bool
) -> tuple[Look, Look]:
    """The first look at the data, and the last one, after every setting that findings ask for is made."""
    from kseg.data import inspect_data

    def look(fixes: Mapping[str, Any], earlier: Inspection | None) -> Look:
        config = load(fixes)
        return Look(config, fixes, inspect_data(config.data.model_dump(), earlier=earlier, on_progress=progress))

    first = last = look({}, None)
    for _ in range(ROUNDS if mend else 0):
        asked = {key: value for finding in last.found.findings for key, value in finding.fix.items()}
        fixes = {**last.fixes, **asked}
        if fixes == last.fixes:
            break
        last = look(fixes, last.found)
    return first, last


def _write(path: Path, target: Path, last: Look) -> None:
    from kseg.config import to_brief_yaml
    from kseg.files import write_text

    made = f"Written by kseg data check {target}; settings that it found: {', '.join(last.fixes) or 'none'}"
    write_text(path, to_brief_yaml(last.config, f"{made}\n  kseg fit {path}"))


def _verdict(left: Sequence[Finding]) -> str:
    if not left:
        return "the data can be trained on"
    return f"{len(left)} finding{'s are' if len(left) > 1 else ' is'} left that no setting mends: " + "; ".join(
        finding.what for finding in left
    )


def _as_json(look: Look) -> str:
    data, found = look.config.data, look.found
    findings = [finding.to_json() for finding in found.findings]
    facts = {"root": str(data.root), "format": data.format, "samples": dict(found.counts)}
    return json.dumps({**facts, "broken": found.broken, "findings": findings}, indent=2)


def _as_text(look: Look) -> str:
    data, found = look.config.data, look.found
    counts = ", ".join(f"{name} {count}" for name, count in found.counts.items())
    where = f"annotations {data.annotations}" if data.annotations else f"masks {data.masks}"
    head = f"{data.root}: {sum(found.counts.values())} samples ({counts}); {data.format}: images {data.images}, {where}"
    blocks = [head, *(_block(finding) for finding in found.findings)]
    return "\n\n".join(blocks if found.findings else [head, "nothing to find fault with"])


def _block(finding: Finding) -> str:
    from kseg.errors import some
    from kseg.images import printable

    rows = [
        ("found", finding.found),
        ("files", some(map(printable, finding.files)) if finding.files and finding.count < finding.total else None),
        ("why", finding.why),
        *(("fix", line) for line in finding.lines),
        ("or" if finding.fix else "do", finding.advice),
    ]
    head = f"{click.style(f'{finding.severity:<8}', fg=COLORS[finding.severity], bold=True)} {finding.what}"
    return "\n".join([f"{head}  [{finding.code}]", *(f"  {name:<6} {text}" for name, text in rows if text)])
