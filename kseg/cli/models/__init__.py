"""``kseg models``: the networks to choose from, what each costs, and what one is made of."""

from __future__ import annotations

import click

from kseg.cli.models import list as list_models
from kseg.cli.models import summary

__all__ = ["command"]


@click.group("models")
def command() -> None:
    """List the networks with their cost, or look into one.

    \b
      kseg models list                                      parameters, work, weights of every encoder
      kseg models list --measure --encoder mobilenetv2      size and speed of its artifacts on this machine
      kseg models summary resnet18                          what a network is made of
      kseg models summary unetplusplus/mit_b0 --graph x.png a picture of it
    """


for module in (list_models, summary):
    command.add_command(module.command)
