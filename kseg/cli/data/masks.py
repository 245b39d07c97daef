"""``kseg data masks``: convert masks to index PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kseg.cli.data.target import overrides_of, target_options
from kseg.cli.options import PATH
from kseg.errors import PartialFailure

if TYPE_CHECKING:
    from kseg.provenance import Origin

__all__ = ["command"]


@click.command("masks")
@target_options
@click.option("--out", required=True, metavar="FOLDER", type=PATH, help="Folder for the masks.")
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
    from kseg.provenance import Origin, mark_file

    config = load_target(target, overrides_of(classes, settings), strict=False)
    dataset = find_dataset(config.data)
    origin = Origin.of("kseg data masks", dataset.root)
    _require_replaceable(out, [f"{sample.key}.png" for sample in dataset.samples(split)], origin)
    with progress_bar("writing masks") as progress:
        report = write_masks(dataset, out, split=split, workers=workers, on_progress=progress)
    mark_file(report.config, origin)
    done, total = len(report.written) + len(report.kept), len(dataset.samples(split))
    click.echo(f"{len(report.written)} masks written, {len(report.kept)} were up to date: {printable(out / 'masks')}")
    click.echo(f"configuration that reads them: {printable(report.config)}")
    for reason in report.failed.values():
        click.echo(f"failed: {reason}", err=True)
    if report.failed:
        raise PartialFailure(f"{total - done} of {total} masks could not be made")


def _require_replaceable(out: Path, masks: Sequence[str], origin: Origin) -> None:
    """Check that the files in the folder are masks of the same data, or of an earlier call that was stopped.

    Raises:
        OutputError: They are of other data, or kseg did not write them.
    """
    from kseg.data.formats.index_masks import NOTE
    from kseg.errors import OutputError, abbreviate
    from kseg.images import png_note, printable
    from kseg.provenance import require_replaceable

    config, manifest = out / "data.yaml", out / "manifest.csv"
    require_replaceable(config, origin, option="--out")
    files = [] if config.exists() else [out / "masks" / name for name in masks]
    foreign = [path for path in files if path.exists() and png_note(path, NOTE) is None]
    if manifest.exists() and not config.exists():
        foreign.append(manifest)
    if foreign:
        raise OutputError(
            "files would be overwritten that kseg data masks did not write", where=printable(out),
            found=abbreviate(map(printable, foreign)), remedy="choose another --out",
        )  # fmt: skip
