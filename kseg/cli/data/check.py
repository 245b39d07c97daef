"""``kseg data check``: how a data set is read, its mistakes, and the questions that it leaves open."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kseg.cli.data.target import overrides_of, target_options
from kseg.cli.options import PATH
from kseg.errors import shell_command

if TYPE_CHECKING:
    from kseg.api.check import DataCheck
    from kseg.config import FlagValue
    from kseg.data.inspection.findings import Finding

__all__ = ["command"]

COLORS = {"error": "red", "question": "magenta", "warning": "yellow", "note": "blue", "used": "green"}


@click.command("check")
@target_options
@click.option(
    "--fix-config", metavar="FILE", type=PATH,
    help="Write a configuration with every setting that is certain; guesses stand in it as comments.",
)  # fmt: skip
@click.option("--accept-guesses", is_flag=True, help="Take every guess as the answer to its question.")
@click.option("--ask", is_flag=True, help="Ask the questions on the terminal.")
@click.option(
    "--preview", metavar="FILE", type=PATH,
    help="Draw three samples with each undecided value or colour in turn, as PNG or JPEG.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print everything that was found as JSON.")
def command(
    target: Path, classes: str | None, settings: tuple[str, ...], fix_config: Path | None, accept_guesses: bool,
    ask: bool, preview: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Read every image and mask, and report how they are read, each mistake, and each question that they leave open.

    What is certain is used. What is guessed is a question: answer it with --set, on the terminal with --ask, or take
    all guesses with --accept-guesses. Exits with 1 while there is an error or a question: then no training starts.

    \b
      kseg data check photos                                     a folder of any supported layout
      kseg data check photos --preview questions.png --ask       look at what is asked, and answer
      kseg data check photos --classes background,cat --fix-config photos.yaml
      kseg data check photos.yaml --json
    """
    import kseg

    overrides = overrides_of(classes, settings)
    accept = {"accept_guesses": accept_guesses}
    checked = kseg.check(target, fix_config=None if ask else fix_config, preview=preview, **accept, **overrides)
    if ask:
        checked, answers = _ask(target, checked, overrides, fix_config)
        settings = (*settings, *answers)
    click.echo(json.dumps(checked.to_json(), indent=2) if as_json else checked.text(_heading))
    if fix_config is not None:
        click.echo(f"{fix_config}: {len(checked.fixes)} settings added; {_verdict(checked.errors)}", err=True)
    if preview is not None:
        click.echo(f"{preview}: three samples with each undecided value", err=True)
    if checked.errors:
        raise click.exceptions.Exit(1)
    if not as_json:
        click.echo(f"next: {_next(target, fix_config, classes, settings, checked)}")


def _ask(
    target: Path, checked: DataCheck, overrides: dict[str, Any], fix_config: Path | None
) -> tuple[DataCheck, list[str]]:
    """Ask until every question is answered or left open; then check, and write the configuration.

    Returns:
        The last check, and the answers as texts of ``--set``.
    """
    import kseg
    from kseg.data.inspection.findings import setting_option

    left_open: set[str] = set()
    settings: list[str] = []
    while questions := [finding for finding in checked.questions if finding.what not in left_open]:
        for finding in questions:
            answers = _answers(finding)
            overrides |= answers
            settings += [setting_option(key, answer.value) for key, answer in answers.items()]
            if not answers:
                left_open.add(finding.what)
        checked = kseg.check(target, **overrides)
    return checked if fix_config is None else kseg.check(target, fix_config=fix_config, **overrides), settings


def _answers(finding: Finding) -> dict[str, FlagValue]:
    """Ask one question on the terminal: the settings by dotted key; empty if it is left open."""
    from kseg.config import FlagValue, parse_set

    advice = f"or {finding.advice}" if finding.advice else None
    lines = [finding.what, finding.found, finding.why, f"guess: {finding.answer}", advice]
    click.echo("\n  ".join(line for line in lines if line), err=True)
    answer = click.prompt("y: that is right; n: leave it open; or KEY=VALUE", default="n", err=True).strip()
    if answer.lower() in ("y", "yes"):
        return {key: FlagValue(value, "the answer") for key, value in finding.guess.items()}
    if answer.lower() in ("n", "no"):
        return {}
    key, value = parse_set(answer)
    return {key: FlagValue(value, f"the answer {answer}")}


def _heading(kind: str) -> str:
    return click.style(f"{kind:<9}", fg=COLORS.get(kind), bold=kind in COLORS)


def _verdict(errors: Sequence[Finding]) -> str:
    if not errors:
        return "the data can be trained on"
    questions = sum(finding.severity == "question" for finding in errors)
    counts = [(len(errors) - questions, "error"), (questions, "question")]
    text = " and ".join(f"{count} {name}{'s' if count > 1 else ''}" for count, name in counts if count)
    return f"not yet to be trained on, for {text}: " + "; ".join(finding.what for finding in errors)


def _next(
    target: Path, fix_config: Path | None, classes: str | None, settings: Sequence[str], checked: DataCheck
) -> str:
    """The command that trains on the data as they were read."""
    if fix_config is not None:
        return shell_command("kseg", "fit", fix_config)
    sets = [word for text in settings for word in ("--set", text)]
    others = [*(["--classes", classes] if classes else []), *(["--accept-guesses"] if checked.guesses else [])]
    if others or (sets and target.is_dir()):
        return shell_command("kseg", "data", "check", target, *others, *sets, "--fix-config", "data.yaml")
    return shell_command("kseg", "fit", *(["--data"] if target.is_dir() else []), target, *sets)
