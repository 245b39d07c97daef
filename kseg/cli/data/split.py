"""``kseg data split``: split the images into lists for training, validation and test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kseg.cli.data.target import overrides_of, target_options
from kseg.cli.options import PATH

if TYPE_CHECKING:
    from kseg.data.dataset import Dataset
    from kseg.data.inspection.counts import DatasetReport
    from kseg.data.sample import SplitName
    from kseg.data.spec import DataSpec, Fractions

__all__ = ["command"]


@click.command("split")
@target_options
@click.option("--out", required=True, metavar="FOLDER", type=PATH, help="Folder for the lists.")
@click.option("--fractions", metavar="TRAIN,VAL,TEST", help="Their shares.  [default: 0.8,0.1,0.1]")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Seed of the split.  [default: 0]")
@click.option("--stratify", is_flag=True, help="Give each split its share of the images of each class.")
@click.option(
    "--group", metavar="REGEX",
    help="Keep images in one split whose paths (below the image folder, without suffix) agree in the first group of "
    "this pattern, or in its match if it has no group: '^(.*)_frame'.",
)  # fmt: skip
@click.option("--copies", is_flag=True, help="Keep images that look the same in one split.")
@click.option("--overwrite", is_flag=True, help="Replace existing lists.")
def command(
    target: Path,
    classes: str | None,
    settings: tuple[str, ...],
    out: Path,
    fractions: str | None,
    seed: int | None,
    stratify: bool,
    group: str | None,
    copies: bool,
    overwrite: bool,
) -> None:
    """Split the images into the lists train.txt, val.txt and test.txt, so that the split stays as it is.

    Options that are not set default to those of TARGET's data.split. The lists have one image a line, relative to the
    data's folder.

    \b
      kseg data split photos --out photos/splits --stratify
      kseg data split drive.yaml --out splits --group '^(seq[0-9]+)' --fractions 0.7,0.15,0.15
    """
    from kseg.api.progress import progress_bar
    from kseg.api.settings import load_target
    from kseg.data.dataset import Dataset
    from kseg.data.find import find_dataset
    from kseg.data.inspection.inspect import check_dataset
    from kseg.data.spec import Fractions
    from kseg.data.splits.cut import cut
    from kseg.data.splits.lists import require_no_lists, write_lists

    options = {
        **_shares(fractions), "seed": seed, "stratify": stratify or None, "group": group,
        "copies": "together" if copies else None,
    }  # fmt: skip
    if not overwrite:
        require_no_lists(out)
    spec = load_target(target, overrides_of(classes, settings)).data
    fractions_spec = _fractions(spec, {key: value for key, value in options.items() if value is not None})
    # Read without splitting, unless the format has splits of its own.
    unsplit = replace(spec, split=Fractions(1.0, 0.0, 0.0)) if isinstance(spec.split, Fractions) else spec
    source = find_dataset(unsplit)
    dataset = Dataset(source.root, source.labels, cut(source.samples("all"), fractions_spec, source.labels))
    with progress_bar("reading") as progress:
        report = check_dataset(dataset, spec, on_progress=progress)
    files = write_lists(out, dict(dataset.splits), dataset.root, masks=spec.format == "lists", overwrite=overwrite)
    _show(dataset, report)
    click.echo(_yaml(files))


def _shares(text: str | None) -> dict[str, float]:
    if text is None:
        return {}
    from kseg.errors import UsageError

    try:
        train, val, test = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            "not the shares of a split", where="--fractions", expected="three numbers: 0.8,0.1,0.1", found=repr(text)
        ) from None
    return {"train": train, "val": val, "test": test}


def _fractions(spec: DataSpec, options: Mapping[str, Any]) -> Fractions:
    """The settings of the split: the options, and those of the configuration where no option is set."""
    from kseg.config import FlagValue, load_config
    from kseg.data.spec import Folders, Fractions
    from kseg.errors import UsageError

    if isinstance(spec.split, Folders):
        raise UsageError(
            "the data are already split by folders", where="data.split", found="by: folders",
            expected="a configuration whose data.images and data.masks are the folders of all images and masks",
            remedy="e.g. --set data.split.by=fractions --set data.images=images --set data.masks=masks",
        )  # fmt: skip
    base = asdict(spec.split) if isinstance(spec.split, Fractions) else {}
    settings = {**base, **options, "by": "fractions"}
    # Loaded as a configuration, which validates each setting.
    checked = load_config(None, {"data.root": str(spec.root), "data.split": FlagValue(settings, "kseg data split")})
    split = checked.data.split
    assert isinstance(split, Fractions)
    return split


def _show(dataset: Dataset, report: DatasetReport) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    total = sum(map(len, dataset.splits.values()))
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("images")
    for split in dataset.splits:
        table.add_column(split, justify="right", no_wrap=True)
    table.add_row("total", *(f"{len(samples)} ({len(samples) / total:.1%})" for samples in dataset.splits.values()))
    for k, name in enumerate(dataset.labels.names):
        counts = [int(report.class_images[split][k]) for split in dataset.splits]
        shares = [f"{count} ({count / max(sum(counts), 1):.1%})" for count in counts]
        table.add_row(Text(f"with {name}"), *shares)
    console = Console() if Console().is_terminal else Console(width=120)
    console.print(table)


def _yaml(files: Mapping[SplitName, Path]) -> str:
    """The part of a configuration that reads the lists."""
    # Paths are quoted as JSON, which is valid YAML, whatever characters they have.
    values = ", ".join(f"{name}: {json.dumps(str(file), ensure_ascii=False)}" for name, file in files.items())
    return f"data:\n  split: {{by: lists, {values}}}"
