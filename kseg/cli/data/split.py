"""``kseg data split``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kseg.cli.data.target import overrides_of, target_options

if TYPE_CHECKING:
    from kseg.data.dataset import Dataset
    from kseg.data.inspection.counts import DatasetReport
    from kseg.data.sample import SplitName
    from kseg.data.spec import DataSpec, Fractions

__all__ = ["command"]


@click.command("split")
@target_options
@click.option("--out", required=True, metavar="FOLDER", type=click.Path(path_type=Path), help="Where the lists go.")
@click.option("--fractions", metavar="TRAIN,VAL,TEST", help="Their shares.  [default: 0.8,0.1,0.1]")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Another seed is another split.  [default: 0]")
@click.option("--stratify", is_flag=True, help="Give each split its share of the images of each class.")
@click.option(
    "--group", metavar="REGEX",
    help="Keep pictures together for whose path (below the image folder, without suffix) its first group, else its "
    "match, is the same: '^(.*)_frame'.",
)  # fmt: skip
@click.option("--copies", is_flag=True, help="Keep pictures together that look the same.")
@click.option("--overwrite", is_flag=True, help="Replace lists that are in the folder.")
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
    """Split the images once and for all, into a list each for training, validation and test.

    What TARGET's own data.split says by fractions holds where no option says otherwise. The lists train.txt, val.txt
    and test.txt name one image a line, relative to the data's folder.

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
    settled = _fractions(spec, {key: value for key, value in options.items() if value is not None})
    # All samples, in whatever splits the format has.
    whole = replace(spec, split=Fractions(1.0, 0.0, 0.0)) if isinstance(spec.split, Fractions) else spec
    everything = find_dataset(whole)
    splits = cut(everything.samples("all"), settled, everything.labels)
    dataset = Dataset(everything.root, everything.labels, splits)
    with progress_bar("reading") as progress:
        report = check_dataset(dataset, spec, on_progress=progress)
    files = write_lists(out, dict(dataset.splits), dataset.root, masks=spec.format == "lists", overwrite=overwrite)
    _show(dataset, report)
    click.echo(_lines(files))


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
    """How to split: as the options say, else as the configuration does."""
    from kseg.config import FlagValue, load_config
    from kseg.data.spec import Folders, Fractions
    from kseg.errors import UsageError

    if isinstance(spec.split, Folders):
        raise UsageError(
            "the data are split by folders already", where="data.split", found="by: folders",
            expected="a configuration whose data.images and data.masks name the folders of all",
            remedy="e.g. --set data.split.by=fractions --set data.images=images --set data.masks=masks",
        )  # fmt: skip
    base = asdict(spec.split) if isinstance(spec.split, Fractions) else {}
    settings = {**base, **options, "by": "fractions"}
    # Through the configuration, which knows what each setting may be.
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
    table.add_row("in all", *(f"{len(samples)} ({len(samples) / total:.1%})" for samples in dataset.splits.values()))
    for k, name in enumerate(dataset.labels.names):
        having = [int(report.class_images[split][k]) for split in dataset.splits]
        shares = [f"{count} ({count / max(sum(having), 1):.1%})" for count in having]
        table.add_row(Text(f"with {name}"), *shares)
    console = Console() if Console().is_terminal else Console(width=120)
    console.print(table)


def _lines(files: Mapping[SplitName, Path]) -> str:
    import json

    # As YAML in the JSON way, so that any path is quoted right.
    values = ", ".join(f"{name}: {json.dumps(str(file), ensure_ascii=False)}" for name, file in files.items())
    return f"data:\n  split: {{by: lists, {values}}}"
