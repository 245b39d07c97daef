"""``kseg models list``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kseg.cli.options import PATH, STDOUT, SizeCommand, parse_size
from kseg.errors import PartialFailure

if TYPE_CHECKING:
    from kseg.cli.models.measure import Artifact
    from kseg.models import NetworkSpec
    from kseg.models.inspect.catalogue import Entry
    from kseg.sizes import Size

    Rows = list[tuple[Entry, tuple[Artifact, ...]]]

__all__ = ["command"]

COMMAND = "kseg models list"


@click.command("list", cls=SizeCommand)
@click.option(
    "--imgsz", metavar="H [W]", callback=parse_size, default="256", show_default=True, help="Size of the images."
)
@click.option(
    "--encoder", "encoders", metavar="NAME", multiple=True, help="Only this one; may be repeated.  [default: all]"
)
@click.option(
    "--measure/--no-measure", help="Export each to TFLite, and time it on this machine (a minute each).",
)  # fmt: skip
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads of --measure.  [default: all cores]")
@click.option("--json", "json_file", metavar="FILE|-", type=PATH, help="Write the table as JSON; - prints only that.")
def command(
    imgsz: list[int], encoders: tuple[str, ...], measure: bool, threads: int | None, json_file: Path | None
) -> None:
    """List every encoder as a U-Net, and every architecture around mobilenetv2, with what each costs.

    For one image and one score channel. Multiply-accumulates are counted, not timed; --measure adds sizes and times.

    \b
      kseg models list --imgsz 192 256
      kseg models list --measure --threads 2 --encoder mobilenetv2 --encoder mit_b0
      kseg models list --json - | jq '.models[] | {encoder, macs}'
    """
    from kseg.models.inspect.catalogue import networks

    size = imgsz[0], imgsz[1]
    specs = networks(size, encoders)
    if json_file is not None and json_file != STDOUT:
        _prepare(json_file)
    rows = _measure_all(specs, threads, measure)
    if json_file != STDOUT:
        _show(rows, size, measure)
    if json_file is not None:
        _write(json_file, rows, size, measure)
    failed = [artifact for _, artifacts in rows for artifact in artifacts if artifact.error]
    if failed:
        total = sum(len(artifacts) for _, artifacts in rows)
        raise PartialFailure(f"{len(failed)} of {total} measurements failed", found=failed[0].error)


def _prepare(path: Path) -> None:
    """Check that the JSON file can be written. Raises OutputError."""
    from kseg.files import make_folder
    from kseg.provenance import Origin, require_replaceable

    require_replaceable(path, Origin.of(COMMAND), option="--json")
    make_folder(path.absolute().parent)


def _measure_all(specs: Sequence[NetworkSpec], threads: int | None, measure: bool) -> Rows:
    from rich.console import Console

    from kseg.cli.models.measure import measure_network
    from kseg.models.inspect.catalogue import Entry, built
    from kseg.models.weights.source import is_installed
    from kseg.tensorflow_runtime import load_tensorflow

    rows: Rows = []
    with Console(stderr=True).status("loading TensorFlow") as status:
        load_tensorflow()
        for done, spec in enumerate(specs):
            status.update(f"{spec.arch}/{spec.encoder} ({done} of {len(specs)} done)")
            if not is_installed(spec.encoder):
                rows.append((Entry(spec), ()))
                continue
            with built(spec) as model:
                entry = Entry.of(spec, model)
                rows.append((entry, measure_network(spec, model, threads) if measure else ()))
    return rows


def _show(rows: Rows, size: Size, measured: bool) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console() if Console().is_terminal else Console(width=120)
    title = f"One image of {size[0]} × {size[1]}, one score channel"
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="")
    table.add_column("encoder", no_wrap=True)
    table.add_column("architecture", no_wrap=True)
    headings = ["parameters", "MACs"]
    if measured:
        headings += ["float32\nMB", "float32\nms", "int8\nMB", "int8\nms"]
        table.caption, table.caption_justify = _caption(rows), "left"
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("weights")
    table.add_column("needs", no_wrap=True)
    for entry, artifacts in rows:
        table.add_row(*_cells(entry, artifacts, len(headings)))
    console.print(table)


def _cells(entry: Entry, artifacts: Sequence[Artifact], numbers: int) -> list[Any]:
    from rich.text import Text

    from kseg.models.inspect.diagram import short_count

    facts = entry.to_json()
    cells = [short_count(count) for count in (entry.parameters, entry.macs) if count is not None]
    for artifact in artifacts:
        cells += [
            "–" if artifact.bytes is None else f"{artifact.bytes / 1e6:.1f}",
            "failed" if artifact.milliseconds is None else f"{artifact.milliseconds:.1f}",
        ]
    cells += ["–"] * (numbers - len(cells))
    extra = facts["extra"]
    needs = "" if extra is None else f"kseg[{extra}]" if facts["installed"] else f"pip install 'kseg[{extra}]'"
    return [facts["encoder"], facts["arch"], *cells, ", ".join(facts["weights"]) or "–", Text(needs)]


def _caption(rows: Rows) -> str:
    from kseg.environment import describe_environment, environment

    threads = next((artifact.threads for _, artifacts in rows for artifact in artifacts), None)
    return (
        f"{describe_environment(environment())}; {threads} threads. MB: TFLite files. ms: median of a call, batch 1, "
        "inference alone, in a fresh process each. Random weights and pixels, which take the time of trained ones."
    )


def _write(path: Path, rows: Rows, size: Size, measured: bool) -> None:
    from dataclasses import asdict

    from kseg.environment import environment
    from kseg.files import write_json
    from kseg.provenance import Origin, mark_file

    models = [{**row.to_json(), "artifacts": [asdict(artifact) for artifact in artifacts]} for row, artifacts in rows]
    data = {"kind": "kseg-models", "schema": 1, "size": list(size), "channels": 1, "models": models}
    if measured:
        data["environment"] = environment()
    if path == STDOUT:
        click.echo(json.dumps(data, indent=2))
    else:
        write_json(path, data)
        mark_file(path, Origin.of(COMMAND))
