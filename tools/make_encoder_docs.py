"""Write the table of docs/encoders.md from the table of the encoders::

python tools/make_encoder_docs.py            write it
python tools/make_encoder_docs.py --check    exit 1 where the page is not up to date
"""

from __future__ import annotations

import sys
from pathlib import Path

from kseg.models import ENCODERS
from kseg.models.tables import EncoderSpec
from kseg.models.weights.source import files_of

PAGE = Path(__file__).parents[1] / "docs" / "encoders.md"
BEGIN, END = "<!-- Written by tools/make_encoder_docs.py -->\n", "<!-- End of what it writes -->\n"


def table() -> str:
    """A row for each encoder, as Markdown."""
    head = "| encoder | parameters | channels of the features by stride | pixels | weights | files | extra |"
    return "\n".join([head, "|---|---|---|---|---|---|---|", *map(_row, ENCODERS)]) + "\n"


def _row(name: str) -> str:
    encoder = ENCODERS[name]
    cells = (
        f"[`{name}`]({encoder.paper})",
        f"{encoder.parameters / 1e6:.1f} M" if encoder.fixed else "by its widths",
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
    return ", ".join(f"{2**level}: {width}" for level, width in enumerate(encoder.widths)) + ", or any others"


def _weights(encoder: EncoderSpec) -> str:
    others = [f"`{preset}`" for preset in encoder.presets if preset != encoder.imagenet]
    usual = [f"`imagenet` (`{encoder.imagenet}`)"] if encoder.imagenet else []
    return ", ".join(usual + others) or "–"


def page() -> str:
    """The page with the table as it should be."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n" + table() + "\n" + END + after


def main(arguments: list[str]) -> int:
    """Write or check the table; returns the exit code."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    current = PAGE.read_text(encoding="utf-8") == page()
    if arguments:
        print(f"{PAGE.name} is {'up to date' if current else 'old: run tools/make_encoder_docs.py'}")
        return 0 if current else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
