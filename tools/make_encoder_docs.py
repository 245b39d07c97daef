"""Write the table in docs/encoders.md from `kseg.models.ENCODERS`.

python tools/make_encoder_docs.py            write it
python tools/make_encoder_docs.py --check    exit with 1 if the page is out of date
"""

from __future__ import annotations

import sys
from pathlib import Path

from kseg.models import ENCODERS
from kseg.models.tables import EncoderSpec
from kseg.models.weights.source import files_of

PAGE = Path(__file__).parents[1] / "docs" / "encoders.md"
BEGIN, END = "<!-- Written by tools/make_encoder_docs.py -->\n", "<!-- End of the generated part -->\n"


def table() -> str:
    """The Markdown table, with a row for each encoder."""
    head = "| encoder | parameters | feature channels by stride | normalisation | weights | files | extra |"
    return "\n".join([head, "|---|---|---|---|---|---|---|", *map(_row, ENCODERS)]) + "\n"


def _row(name: str) -> str:
    encoder = ENCODERS[name]
    cells = (
        f"[`{name}`]({encoder.paper})",
        f"{encoder.parameters / 1e6:.1f} M" if encoder.fixed else "depends on widths",
        _features(encoder),
        f"`{encoder.normalization}`",
        _weights(encoder),
        ", ".join(f"`{suffix}`" for suffix in files_of(encoder)) or "–",
        f"`{encoder.extra}`" if encoder.extra else "–",
    )
    return "| " + " | ".join(cells) + " |"


def _features(encoder: EncoderSpec) -> str:
    if encoder.fixed:
        return ", ".join(f"{stride}: {channels}" for stride, channels in encoder.pyramid.items())
    return ", ".join(f"{2**level}: {width}" for level, width in enumerate(encoder.widths)) + " (defaults; any widths)"


def _weights(encoder: EncoderSpec) -> str:
    imagenet = [f"`imagenet` (`{encoder.imagenet}`)"] if encoder.imagenet else []
    presets = [f"`{preset}`" for preset in encoder.presets if preset != encoder.imagenet]
    return ", ".join(imagenet + presets) or "–"


def page() -> str:
    """The text of the page with an up-to-date table."""
    before, _, generated = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = generated.partition(END)
    return before + BEGIN + "\n" + table() + "\n" + END + after


def main(arguments: list[str]) -> int:
    """Write the table, or check it; returns the exit code."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    current = PAGE.read_text(encoding="utf-8") == page()
    if arguments:
        print(f"{PAGE.name} is {'up to date' if current else 'out of date: run python tools/make_encoder_docs.py'}")
        return 0 if current else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
