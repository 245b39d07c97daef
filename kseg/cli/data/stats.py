"""``kseg data stats``: sizes, class frequencies and class weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kseg.cli.data.target import overrides_of, target_options
from kseg.cli.options import PATH, STDOUT

if TYPE_CHECKING:
    from kseg.data.inspection.statistics import Statistics
    from kseg.provenance import Origin

__all__ = ["command"]


@click.command("stats")
@target_options
@click.option(
    "--json",
    "json_file",
    metavar="FILE|-",
    type=PATH,
    help="Write the numbers as JSON; - prints them and nothing else.",
)
@click.option("--out", metavar="FILE.png", type=PATH, help="Draw the numbers as charts.")
def command(
    target: Path, classes: str | None, settings: tuple[str, ...], json_file: Path | None, out: Path | None
) -> None:
    """Count images, sizes and classes, and compute class weights and the normalisation of pixels.

    \b
      kseg data stats photos
      kseg data stats photos.yaml --out stats.png
      kseg data stats photos.yaml --json - | jq .class_weights
    """
    from kseg.api.progress import progress_bar
    from kseg.api.settings import load_target
    from kseg.data.find import find_dataset
    from kseg.data.inspection.inspect import check_dataset
    from kseg.data.inspection.statistics import summarize
    from kseg.provenance import Origin, require_replaceable

    config = load_target(target, overrides_of(classes, settings))
    origin = Origin.of("kseg data stats", target, config.data.root)
    files = {"--json": None if json_file == STDOUT else json_file, "--out": out}
    for option, file in files.items():
        if file is not None:
            require_replaceable(file, origin, option=option)
    dataset = find_dataset(config.data)
    with progress_bar("reading") as progress:
        report = check_dataset(dataset, config.data, on_progress=progress)
    statistics = summarize(dataset, report)
    if json_file == STDOUT:
        click.echo(json.dumps(statistics.to_json(), indent=2))
    else:
        _show(statistics, f"{dataset.root}")
    if files["--json"] is not None:
        _write(files["--json"], statistics, origin)
    if out is not None:
        _draw(out, statistics, origin)


def _show(statistics: Statistics, title: str) -> None:
    from rich.console import Console

    console = Console() if Console().is_terminal else Console(width=120)
    counts = ", ".join(f"{name} {count}" for name, count in statistics.images.items())
    lines = [f"{title}: {sum(statistics.images.values())} images ({counts})", ""]
    for side, (low, middle, high) in statistics.sides().items():
        lines.append(f"{side:<8} {low} to {high}, median {middle:g}")
    sizes = [f"{height}×{width} ({count} images)" for (height, width), count in statistics.commonest()]
    lines.append(f"{'sizes':<8} {len(statistics.sizes)} different; most frequent, height × width: {', '.join(sizes)}")
    for name, values in (("mean", statistics.channel_mean), ("std", statistics.channel_std)):
        lines.append(f"{name:<8} {', '.join(f'{value:.2f}' for value in values)} (red, green, blue of 0 to 255, train)")
    ignored = ", ".join(f"{name} {share:.1%}" for name, share in statistics.ignored.items())
    lines.append(f"{'ignored':<8} {ignored} of the pixels; they do not count in the shares below")
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
    console.print(_table(statistics))


def _table(statistics: Statistics) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("class")
    splits, methods = list(statistics.images), list(statistics.weights)
    headings = [f"{of}\n{split}" for of in ("pixels", "images") for split in splits]
    for heading in [*headings, *(f"weight\n{method}" for method in methods)]:
        table.add_column(heading, justify="right", no_wrap=True)
    for k, name in enumerate(statistics.labels.names):
        pixels = [f"{statistics.pixel_share[split][k]:.2%}" for split in splits]
        images = [f"{statistics.image_share[split][k]:.1%}" for split in splits]
        table.add_row(Text(name), *pixels, *images, *(f"{statistics.weights[m][k]:.3g}" for m in methods))
    return table


def _write(path: Path, statistics: Statistics, origin: Origin) -> None:
    from kseg.files import make_folder, write_json
    from kseg.provenance import mark_file

    make_folder(path.absolute().parent)
    write_json(path, statistics.to_json())
    mark_file(path, origin)
    click.echo(f"numbers written to {path}", err=True)


def _draw(path: Path, statistics: Statistics, origin: Origin) -> None:
    from kseg.data.inspection.charts import draw_statistics
    from kseg.files import make_folder
    from kseg.provenance import mark_file

    make_folder(path.absolute().parent)
    draw_statistics(path, statistics)
    mark_file(path, origin)
    click.echo(f"drawn into {path}", err=True)
