"""``kseg data masks``: convert masks to index PNG files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kseg.cli.data.target import overrides_of, target_options
from kseg.errors import PartialFailure

__all__ = ["command"]


@click.command("masks")
@target_options
@click.option("--out", required=True, metavar="FOLDER", type=click.Path(path_type=Path), help="Folder for the masks.")
@click.option(
    "--split", type=click.Choice(["train", "val", "test", "all"]), default="all", show_default=True,
    help="The images to convert.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1), help="Number of threads.  [default: number of cores]")
def command(
    target: Path, classes: str | None, settings: tuple[str, ...], out: Path, split: Any, workers: int | None
) -> None:
    """Write the masks as index PNG files, from any format: COCO, LabelMe, YOLO, colours.

    FOLDER/masks holds class ids 0, 1, … in the order of the classes, and 255 where the class is unknown;
    FOLDER/manifest.csv names image, mask and split; FOLDER/data.yaml is the configuration that reads them. If repeated,
    the command writes only masks that are missing or out of date.

    \b
      kseg data masks coco --out coco_masks --classes background,person
      kseg fit coco_masks/data.yaml
    """
    from kseg.api.progress import progress_bar
    from kseg.api.settings import load_target
    from kseg.data.find import find_dataset
    from kseg.data.formats.index_masks import write_masks
    from kseg.images import printable

    config = load_target(target, overrides_of(classes, settings))
    dataset = find_dataset(config.data)
    with progress_bar("writing masks") as progress:
        report = write_masks(dataset, out, split=split, workers=workers, on_progress=progress)
    done, total = len(report.written) + len(report.kept), len(dataset.samples(split))
    click.echo(f"{len(report.written)} masks written, {len(report.kept)} were up to date: {printable(out / 'masks')}")
    click.echo(f"configuration that reads them: {printable(report.config)}")
    for reason in report.failed.values():
        click.echo(f"failed: {reason}", err=True)
    if report.failed:
        raise PartialFailure(f"{total - done} of {total} masks could not be made")
