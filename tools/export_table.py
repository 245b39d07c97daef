"""Every format, quantisation and runtime of trained networks: size, score, drop and latency, as Markdown.

    python tools/export_table.py runs/fit/A runs/fit/B … --out exports > table.md

Each run is exported as every installed format and quantisation and by the ladder, with ``--force``, so that what the
gate refuses is listed, too; then ``kseg benchmark`` measures every artifact on every runtime, each in a fresh process.
An export folder that is there already is taken as it is.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Final

import click

from kseg.environment import describe_environment, environment

QUANTIZATIONS: Final = "none,fp16,dynamic,int8,int16x8,auto"
HEADINGS: Final = (
    "artifact",
    "runtime",
    "MB",
    "foreground IoU",
    "drop (95 % interval)",
    "largest difference",
    "passes",
    "ms",
)


@click.command(help=__doc__)
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the export folders.")
@click.option("--threads", type=int, default=2, show_default=True, help="CPU threads of the latencies.")
def main(runs: tuple[Path, ...], out: Path, threads: int) -> None:
    """Export and measure each run, and print its tables."""
    print(f"{describe_environment(environment())}; {date.today()}")
    for run in runs:
        folder = out / run.name
        if not (folder / "parity.json").exists():
            kseg("export", run, "--out", folder, "--format", "all", "--quantize", QUANTIZATIONS, "--force")
        benchmark = out / f"{run.name}.json"
        if not benchmark.exists():
            kseg("benchmark", folder, "--runtime", "all", "--device", "cpu", "--threads", threads, "--json", benchmark)
        print("\n".join(section(folder, json.loads(benchmark.read_bytes()))), flush=True)


def kseg(*words: object) -> None:
    """Run a command of kseg; what it prints goes to stderr. Its exit code tells of artifacts that do not pass."""
    subprocess.run([sys.executable, "-m", "kseg", *map(str, words)], stdout=sys.stderr, check=False)


def section(folder: Path, benchmark: dict[str, Any]) -> Iterator[str]:
    """The tables of one network."""
    record = json.loads((folder / "parity.json").read_bytes())
    latencies = {
        (Path(row["model"]).name, row["runtime"]): row["latency_ms"]["p50"]
        for row in benchmark["rows"]
        if row["latency_ms"]
    }
    yield f"\n### {folder.name}\n"
    yield f"{record['images']} images of the {record['split']} split.\n"
    yield f"| {' | '.join(HEADINGS)} |"
    yield "|" + "---|" * len(HEADINGS)
    for row in record["rows"]:
        yield f"| {' | '.join(cells(row, latencies.get((row['file'], row['runtime']))))} |"
    markdown = (folder / "parity.md").read_text("utf-8")
    if "## The ladder" in markdown:
        yield "\n#### The ladder" + markdown.partition("## The ladder")[2].rstrip()


def cells(row: dict[str, Any], latency: float | None) -> Iterator[str]:
    """The cells of one artifact on one runtime."""
    low, high = row["iou_drop_interval"]
    yield from (row["file"], row["runtime"], f"{row['bytes'] / 1e6:.2f}", f"{row['iou']:.4f}")
    yield f"{row['iou_drop']:+.4f} ({low:+.4f} to {high:+.4f})"
    yield f"{row['max_score_difference']:.1e}"
    yield "yes" if row["passed"] else "no"
    yield "" if latency is None else f"{latency:.1f}"


if __name__ == "__main__":
    main()
