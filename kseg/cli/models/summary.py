"""``kseg models summary``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kseg.cli.options import PATH, SizeCommand, parse_size
from kseg.files import expand_home

if TYPE_CHECKING:
    from kseg.models.inspect.parts import Summary

__all__ = ["command"]


@click.command("summary", cls=SizeCommand)
@click.argument("name")
@click.option(
    "--imgsz", metavar="H [W]", callback=parse_size, help="Size of the images.  [default: 256, or the file's]"
)
@click.option("--graph", metavar="FILE.png|svg", type=PATH, help="Draw the network.")
def command(name: str, imgsz: list[int] | None, graph: Path | None) -> None:
    """Show what a network is made of: the shape, parameters and work of each part.

    NAME is an encoder (then in a U-Net), ARCHITECTURE/ENCODER, a configuration (.yaml), a .keras file or a run folder.

    \b
      kseg models summary mobilenetv2
      kseg models summary deeplabv3plus/resnet50 --imgsz 512 --graph deeplab.png
      kseg models summary runs/fit/NAME --graph mine.svg
    """
    from kseg.cli.models.find import find_network

    if graph is not None:
        from kseg.files import make_folder
        from kseg.models.inspect.diagram import check_format
        from kseg.provenance import Origin, mark_file, require_replaceable

        check_format(graph)
        file = expand_home(name)
        origin = Origin.of("kseg models summary", file) if file.exists() else Origin.of(f"kseg models summary {name}")
        require_replaceable(graph, origin, option="--graph")
        make_folder(graph.absolute().parent)
    spec = find_network(name, imgsz)
    from kseg.tensorflow_runtime import load_tensorflow

    load_tensorflow()
    from kseg.models.inspect.parts import summarize

    summary = summarize(spec)
    _show(summary)
    if graph is not None:
        from kseg.models.inspect.diagram import draw_network

        draw_network(graph, summary)
        mark_file(graph, origin)
        click.echo(f"drawn into {graph}", err=True)


def _show(summary: Summary) -> None:
    from rich.console import Console

    from kseg.models.inspect.diagram import short_count

    console = Console() if Console().is_terminal else Console(width=120)
    height, width = summary.size
    console.print(
        f"{summary.name}: one image of {height} × {width}; {summary.parameters:,} parameters, "
        f"{short_count(summary.macs)} multiply-accumulates (MACs)", highlight=False, soft_wrap=True,
    )  # fmt: skip
    console.print(_table(summary))


def _table(summary: Summary) -> Any:
    from rich import box
    from rich.table import Table

    from kseg.models.inspect.diagram import short_count

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("part", no_wrap=True)
    for heading in ("stride", "height × width × channels", "parameters", "share", "MACs", "share"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("takes")
    for part in summary.parts:
        shares = (part.parameters / summary.parameters, part.macs / summary.macs)
        numbers = (f"{part.parameters:,}", f"{shares[0]:.1%}", short_count(part.macs), f"{shares[1]:.1%}")
        shape = " × ".join(map(str, part.shape))
        table.add_row(part.name, str(part.stride), shape, *numbers, ", ".join(part.sources))
    return table
