"""``kseg fit``: train a network, or resume a training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kseg.cli.options import PATH, SizeCommand, config_argument, data_option, overrides_from, parse_size, set_option
from kseg.errors import UsageError, shell_command
from kseg.models.tables import ARCHITECTURES, ENCODERS

if TYPE_CHECKING:
    from kseg.training import Run

__all__ = ["command"]

FLAGS = {
    "model": ("arch", "encoder"),
    "train": ("imgsz", "epochs", "batch", "lr", "patience", "seed", "device", "cache"),
    "run": ("project", "name"),
}
"""Section of the configuration → its keys that are flags; ``augment``, a flag, too, is a section itself."""
METHODS = {"qat": None, "prune": "train.sparsity", "cluster": "train.clusters"}
"""Flag that fine-tunes a run → the setting that its value is."""


@click.command("fit", cls=SizeCommand)
@config_argument
@data_option
@click.option("--arch", metavar="NAME", help=f"Architecture: {', '.join(ARCHITECTURES)} [default: unet].")
@click.option("--encoder", metavar="NAME", help=f"Encoder: {', '.join(ENCODERS)} [default: plain].")
@click.option("--imgsz", metavar="H [W]", callback=parse_size, help="Size of the network's input [default: 256].")
@click.option("--epochs", type=int, help="Maximum number of passes over the training images.")
@click.option("--batch", type=int, help="Images in a training step.")
@click.option("--lr", type=float, help="Peak learning rate of AdamW.")
@click.option("--patience", type=int, help="Epochs without a better score before training stops; 0: never.")
@click.option("--seed", type=int, help="Seed of the weights, the order of images, and the augmentation.")
@click.option("--augment", metavar="PRESET", help="Augmentation: none, light, medium, heavy [default: mirror images].")
@click.option(
    "--cache",
    type=click.Choice(["auto", "ram", "disk", "none"]),
    help="Where decoded images are stored [default: auto].",
)
@click.option("--device", type=click.Choice(["auto", "cpu", "gpu"]), help="Device to train on [default: auto].")
@click.option("--project", metavar="FOLDER", help="Runs go to PROJECT/fit/NAME [default: runs].")
@click.option("--name", help="Name of the run [default: the data folder's]; numbered where it exists.")
@click.option("--from", "start", type=PATH, metavar="RUN", help="Trained run to fine-tune by one of the next three.")
@click.option("--qat", is_flag=True, default=None, help="Fine-tune for int8: quantisation-aware training.")
@click.option("--prune", type=float, metavar="SHARE", help="Fine-tune while this share of the weights becomes zero.")
@click.option("--cluster", type=int, metavar="N", help="Fine-tune while each layer's weights share N values.")
@click.option(
    "--resume",
    type=PATH,
    metavar="RUN",
    help="Continue a run that was stopped or killed, after its last finished epoch; takes no other options.",
)
@set_option
def command(
    config: Path | None, data: str | None, settings: tuple[str, ...], resume: Path | None, start: Path | None,
    **flags: Any,
) -> None:  # fmt: skip
    """Train a network on a folder of images and masks.

    Settings come from a YAML file, from flags, or from both: defaults < CONFIG < flags. kseg config show lists all.

    With --from RUN the network of RUN is fine-tuned into a new run, RUN-qat, RUN-prune or RUN-cluster: with the
    settings of RUN, 5 epochs and a tenth of its learning rate, if flags do not say otherwise. Then it is exported to
    TFLite, and measured beside the network of RUN, as kseg export does.
    """
    import kseg

    if resume is not None:
        _require_alone(config, data, settings, {**flags, "from": start})
        run = kseg.resume(resume)
    else:
        dotted = {f"{section}.{name}": flags[name] for section, names in FLAGS.items() for name in names}
        dotted["augment"] = flags["augment"]
        compression = _compression(flags, start)
        run = kseg.fit(config, from_run=start, **compression, **overrides_from(data, settings, dotted))
    _show(run)
    if start is None:
        click.echo(f"next: {shell_command('kseg', 'evaluate', run.folder)}")
    else:
        _export(run, start, flags)


def _show(run: Run) -> None:
    best = run.best
    click.echo(
        f"best epoch {run.best_epoch} of {len(run.rows)}"
        + (" (stopped early)" if run.stopped_early else "")
        + f": val IoU {best['val_iou']:.3f}, Dice {best['val_dice']:.3f}, "
        f"mean IoU {best['val_mean_iou']:.3f}, pixel accuracy {best['val_accuracy']:.3f} (network's size)"
    )
    click.echo(f"{run.seconds:.0f} s; everything is in {run.folder}")


def _compression(flags: dict[str, Any], start: Path | None) -> dict[str, Any]:
    """The settings of --qat, --prune and --cluster, by dotted key."""
    from kseg.config import FlagValue

    methods = [name for name in METHODS if flags[name] is not None]
    if len(methods) > 1:
        raise UsageError(
            "a run is fine-tuned in one way at a time", where=f"--{methods[1]}", found=f"also --{methods[0]}",
            remedy="use one of them, then the other with --from and the new run",
        )  # fmt: skip
    if not methods:
        return {}
    method = methods[0]
    if start is None:
        words = [] if method == "qat" else [str(flags[method])]
        raise UsageError(
            "only a trained network is fine-tuned", where=f"--{method}", expected="--from RUN beside it",
            remedy=f"use {shell_command('kseg', 'fit', f'--{method}', *words, '--from', 'runs/fit/NAME')}",
        )  # fmt: skip
    settings = {"train.compress": FlagValue(method, f"--{method}")}
    if key := METHODS[method]:
        settings[key] = FlagValue(flags[method], f"--{method}")
    return settings


def _export(run: Run, start: Path, flags: dict[str, Any]) -> None:
    """Export the fine-tuned network to TFLite, beside the one that it comes from; raise if the gate refuses a file."""
    import kseg
    from kseg.cli.export import show_report
    from kseg.files import gzip_size

    quantize = ["qat"] if flags["qat"] else ["none", "int8"]
    report = kseg.export(run, formats=["tflite"], quantize=quantize, reference=start)
    show_report(report)
    for path in report.written:
        click.echo(f"{path}: {path.stat().st_size / 1e6:.2f} MB, {gzip_size(path) / 1e6:.2f} MB with gzip")
    if error := report.error():
        raise error


def _require_alone(config: Path | None, data: str | None, settings: tuple[str, ...], flags: dict[str, Any]) -> None:
    options = {"CONFIG": config, "--data": data, "--set": settings or None}
    options |= {f"--{name}": value for name, value in flags.items()}
    if others := [name for name, value in options.items() if value is not None]:
        raise UsageError(
            "a run is resumed with its own settings", where="--resume", found=", ".join(others),
            remedy="leave them out, or train on in a new run: --set model.start=RUN",
        )  # fmt: skip
