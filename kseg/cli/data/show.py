"""``kseg data show``: draw a contact sheet."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from kseg.cli.data.target import overrides_of, target_options
from kseg.cli.options import PATH

__all__ = ["command"]


@click.command("show")
@target_options
@click.option("--out", required=True, metavar="FILE", type=PATH, help="PNG or JPEG to write.")
@click.option(
    "--split", type=click.Choice(["train", "val", "test", "all"]), default="train", show_default=True,
    help="The split to choose from.",
)  # fmt: skip
@click.option("--count", type=click.IntRange(1, 400), default=12, show_default=True, help="Number of samples.")
@click.option("--shows", metavar="CLASS", help="Only samples with this class.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the choice.")
@click.option(
    "--augmented", type=click.IntRange(1, 16), metavar="N",
    help="Show each sample as it is, and N augmented versions of it, at the network's size.",
)  # fmt: skip
def command(
    target: Path, classes: str | None, settings: tuple[str, ...], out: Path,
    split: Literal["train", "val", "test", "all"], count: int,
    shows: str | None, seed: int, augmented: int | None,
) -> None:  # fmt: skip
    """Draw a contact sheet: images with their masks over them, and a legend of the classes.

    \b
      kseg data show photos.yaml --out sheet.png
      kseg data show photos.yaml --out varied.png --count 4 --augmented 5 --set augment=heavy
    """
    from kseg.api.settings import load_target
    from kseg.data.find import find_dataset
    from kseg.data.inspection.sheet import augmented_sheet, contact_sheet, pick
    from kseg.errors import UsageError
    from kseg.files import make_folder
    from kseg.images import write_picture
    from kseg.provenance import Origin, mark_file, require_replaceable
    from kseg.registry import lookup

    if out.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UsageError("not a picture's name", where="--out", expected="FILE.png or FILE.jpg", found=str(out))
    config = load_target(target, overrides_of(classes, settings), strict=False)
    origin = Origin.of("kseg data show", target, config.data.root)
    require_replaceable(out, origin, option="--out")
    dataset = find_dataset(config.data)
    if shows is not None:
        lookup(dict.fromkeys(dataset.labels.names, True), shows, kind="class", where="--shows")
    samples = pick(dataset, dataset.samples(split), count, seed=seed, shows=shows)
    if augmented is None:
        sheet = contact_sheet(dataset, samples)
    else:
        sheet = augmented_sheet(
            dataset, samples, config.augment, size=config.train.imgsz, versions=augmented,
            seed=config.train.seed,
        )  # fmt: skip
    make_folder(out.parent)
    write_picture(out, sheet)
    mark_file(out, origin)
    click.echo(f"{out}: {len(samples)} of {len(dataset.samples(split))} samples")
