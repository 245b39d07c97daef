"""``kseg config``: show the settings of a run, and the JSON schema for editors."""

from __future__ import annotations

import json
from pathlib import Path

import click

from kseg.cli.options import config_argument, data_option, overrides_from, set_option

__all__ = ["command"]


@click.group("config")
def command() -> None:
    """Show the settings of a run, or the JSON schema for editors."""


@command.command("show")
@config_argument
@data_option
@set_option
def show(config: Path | None, data: str | None, settings: tuple[str, ...]) -> None:
    """Print every setting as YAML: defaults < CONFIG < --data < --set.

    Without CONFIG and --data, the data are those of the current folder.

    \b
      kseg config show --data pets > pets.yaml           start a configuration
      kseg config show pets.yaml --set train.epochs=5    see what a run would use
    """
    from kseg.config import load_config, to_yaml

    overrides = overrides_from(data, settings)
    if config is None:
        overrides.setdefault("data.root", ".")
    click.echo(to_yaml(load_config(config, overrides)), nl=False)


@command.command("schema")
def schema() -> None:
    """Print the JSON schema of a configuration file.

    \b
      kseg config schema > kseg.schema.json
    Then write at the top of a configuration:
      # yaml-language-server: $schema=kseg.schema.json
    """
    from kseg.config import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
