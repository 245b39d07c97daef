"""``kseg fit``: train a network, or resume a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kseg.cli.options import PATH, SizeCommand, config_argument, data_option, overrides_from, parse_size, set_option
from kseg.errors import UsageError, shell_command
from kseg.models.tables import ARCHITECTURES, ENCODERS

__all__ = ["command"]

FLAGS = {
    "model": ("arch", "encoder"),
    "train": ("imgsz", "epochs", "batch", "lr", "patience", "seed", "device", "cache"),
    "run": ("project", "name"),
}
"""Section of the configuration → its keys that are flags; ``augment``, a flag, too, is a section itself."""


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
@click.option(
    "--resume",
    type=PATH,
    metavar="RUN",
    help="Continue a run that was stopped or killed, after its last finished epoch; takes no other options.",
)
@set_option
def command(
    config: Path | None, data: str | None, settings: tuple[str, ...], resume: Path | None, **flags: Any
) -> None:
    """Train a network on a folder of images and masks.

    Settings come from a YAML file, from flags, or from both: defaults < CONFIG < flags. kseg config show lists all.
    """
    import kseg

    if resume is not None:
        _require_alone(config, data, settings, flags)
        run = kseg.resume(resume)
    else:
        dotted = {f"{section}.{name}": flags[name] for section, names in FLAGS.items() for name in names}
        dotted["augment"] = flags["augment"]
        run = kseg.fit(config, **overrides_from(data, settings, dotted))
    best = run.best
    click.echo(
        f"best epoch {run.best_epoch} of {len(run.rows)}"
        + (" (stopped early)" if run.stopped_early else "")
        + f": val IoU {best['val_iou']:.3f}, Dice {best['val_dice']:.3f}, "
        f"mean IoU {best['val_mean_iou']:.3f}, pixel accuracy {best['val_accuracy']:.3f} (network's size)"
    )
    click.echo(f"{run.seconds:.0f} s; everything is in {run.folder}")
    click.echo(f"next: {shell_command('kseg', 'evaluate', run.folder)}")


def _require_alone(config: Path | None, data: str | None, settings: tuple[str, ...], flags: dict[str, Any]) -> None:
    options = {"CONFIG": config, "--data": data, "--set": settings or None}
    options |= {f"--{name}": value for name, value in flags.items()}
    if others := [name for name, value in options.items() if value is not None]:
        raise UsageError(
            "a run is resumed with its own settings", where="--resume", found=", ".join(others),
            remedy="leave them out, or train on in a new run: --set model.start=RUN",
        )  # fmt: skip
