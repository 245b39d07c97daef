"""``kseg data``: check and prepare the data before a training."""

from __future__ import annotations

import click

from kseg.cli.data import check, masks, show, split, stats

__all__ = ["command"]


@click.group("data")
def command() -> None:
    """Check, count, show, split and convert images and masks.

    TARGET is a configuration, or a folder whose layout is guessed: images and masks in folders, COCO, LabelMe, YOLO,
    VOC, or a manifest.

    \b
      kseg data check photos --classes background,cat     find mistakes, and the settings that correct them
      kseg data check photos --fix-config photos.yaml     write the corrected configuration
      kseg data show photos.yaml --out sheet.png          draw images with their masks
      kseg data stats photos.yaml                         sizes, class frequencies, class weights
      kseg data split photos.yaml --out splits --stratify lists for training, validation and test
      kseg data masks coco --out coco_masks               index PNG masks, from any format
    """


for module in (check, show, stats, split, masks):
    command.add_command(module.command)
