"""Images/s of folder prediction, beside the rate of the network alone, and where the time goes.

    python tools/bench_predict.py MODEL... [--runtime litert ...] [--rounds 5]

MODEL is whatever `kseg predict` takes. The two networks of docs/results/predict.md, with the data sets of KSEG_DATA:

    kseg fit configs/portraits.yaml --imgsz 128x96 --epochs 3 --encoder mobilenetv2 --name small \\
        --set model.weights=null --set model.block=separable --set model.widths=null \\
        --set 'model.decoder_widths=[64,48,32,16,16]' --set model.upsampling=bilinear
    kseg fit configs/pets.yaml --imgsz 256 --epochs 1 --name medium
    kseg export runs/fit/small --force
    kseg export runs/fit/medium --force

The photographs are those of KSEG_DATA/pets, once shrunk to 480 × 360 and once enlarged to 4000 × 3000, JPEG of quality
90. Every file is read once before. The measurements take turns, round after round, so that other load on the machine
affects all alike, and the core-seconds that other processes took are subtracted (Linux). Each number is the median over
the rounds:

    network   images/s of a single network that uses all threads, on pictures that are resized already
    copies    the same of copies of the network with a thread each, as `predict_files` uses them; / network
    folder    images/s of `predict_files`, from files to masks; / network
    bound     cores / (core-seconds of an image): what no schedule on these cores can exceed; folder / bound
    read …    milliseconds of one core for an image, each part measured in a single thread
"""

from __future__ import annotations

import datetime
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click
import cv2
import numpy as np

from kseg.environment import describe_environment, environment
from kseg.images import png_bytes, read_image, resize_image, write_jpeg
from kseg.inference import FilesPlan, PredictionPlan, Predictor, predict_files
from kseg.inference.runtime_table import RUNTIMES
from kseg.parallel import parallel_map
from kseg.processor import usable_cores
from kseg.provenance import Origin, write_marked

PHOTOS: Final[dict[str, tuple[tuple[int, int], int]]] = {"0.2 MP": ((360, 480), 64), "12 MP": ((3000, 4000), 32)}
"""Kind of photograph → its height and width, and how many are predicted."""
SECONDS: Final = 2.0
"""The shortest measurement of a rate."""
PARTS: Final = ("read", "resize", "network", "decide", "encode", "write")


def make_photos(folder: Path, size: tuple[int, int], count: int) -> list[Path]:
    """Write JPEG files of this size from the photographs of KSEG_DATA/pets."""
    folder.mkdir()
    sources = sorted((Path(os.environ["KSEG_DATA"]) / "pets" / "images").glob("*.jpg"))
    paths = []
    for number, source in enumerate(islice(sources, count)):
        image = cv2.resize(read_image(source), size[::-1], interpolation=cv2.INTER_AREA)
        paths.append(folder / f"{number:03d}.jpg")
        write_jpeg(paths[-1], np.asarray(image, np.uint8), quality=90)
    return paths


def _seconds() -> float:
    """A clock that stands still for the share of the cores that other processes use."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return time.perf_counter()
    user, nice, system, _, _, irq, softirq, steal = map(int, stat.read_text().split(maxsplit=9)[1:9])
    busy = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return time.perf_counter() - (busy - time.process_time()) / usable_cores()


def _rate(function: Callable[[], object], images: int) -> float:
    """Images/s of a function that takes so many, called for `SECONDS` at least."""
    begin, started, calls = time.perf_counter(), _seconds(), 0
    while time.perf_counter() - begin < SECONDS:
        function()
        calls += 1
    return calls * images / (_seconds() - started)


class Case:
    """A model on a kind of photographs; each method is a measurement.

    Args:
        plan: The model and its runtime.
        photos: The photographs.
        out: An empty folder for the masks.
    """

    def __init__(self, plan: PredictionPlan, photos: Sequence[Path], out: Path) -> None:
        self.photos, self.out = photos, out
        self.alone = plan.load()
        self.several = plan.load(pictures=len(photos) * 100)
        self.single = PredictionPlan.make(plan.model, runtime=plan.runtime, threads=1).load()
        size = (plan.card.height, plan.card.width)
        self.batches = [resize_image(read_image(path), size)[None] for path in photos[:8]]

    def network(self) -> float:
        """Images/s of the network alone."""
        return _rate(lambda: [self.alone.run(batch) for batch in self.batches], len(self.batches))

    def copies(self) -> float:
        """Images/s of copies of the network, in a thread each."""
        batches = self.batches * 8
        return _rate(lambda: parallel_map(self.several.run, batches), len(batches))

    def folder(self) -> float:
        """Images/s of `predict_files`."""
        files = FilesPlan.make(self.several.card, [str(self.photos[0].parent)], self.out)
        return _rate(lambda: predict_files(self.several, files), len(self.photos))

    def parts(self) -> dict[str, float]:
        """Milliseconds of one core that each part takes for an image, by name: `PARTS`."""
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        rows = [_parts(self.single, path, self.out) for path in self.photos[:12]]
        cv2.setNumThreads(threads)
        return {name: statistics.median(row[name] for row in rows) for name in PARTS}


def _parts(predictor: Predictor, path: Path, out: Path) -> dict[str, float]:
    """The parts of `predict_files`, one after the other, of one image."""
    milliseconds = {}

    def timed(name: str, function: Callable[[], Any]) -> Any:
        begin = time.process_time()
        result = function()
        milliseconds[name] = 1000 * (time.process_time() - begin)
        return result

    card = predictor.card
    image = timed("read", lambda: read_image(path))
    network_input = timed("resize", lambda: resize_image(image, (card.height, card.width)))
    scores = timed("network", lambda: predictor.native_scores(network_input))
    ids = timed("decide", lambda: predictor.native_ids(scores, image.shape[:2]))
    data = timed("encode", lambda: png_bytes(card.labels.decode(ids)))
    timed("write", lambda: write_marked(out / f"{path.stem}.png", data, Origin.of("kseg predict", path)))
    return milliseconds


def measure(case: Case, rounds: int) -> dict[str, float]:
    """The medians: network, copies and folder in images/s, and each part in ms of a core."""

    def measure_all() -> dict[str, float]:
        return {"network": case.network(), "copies": case.copies(), "folder": case.folder()} | {
            f"{name} ms": value for name, value in case.parts().items()
        }

    measure_all()
    rows = [measure_all() for _ in range(rounds)]
    return {name: statistics.median(row[name] for row in rows) for name in rows[0]}


def table_row(names: Sequence[str], medians: dict[str, float]) -> str:
    """A row of the Markdown table."""
    parts = [medians[f"{name} ms"] for name in PARTS]
    bound = 1000 * usable_cores() / sum(parts)
    network, copies, folder = (medians[name] for name in ("network", "copies", "folder"))
    cells = [f"{network:.1f}"]
    cells += [f"{rate:.1f} ({rate / base:.2f})" for rate, base in ((copies, network), (folder, network))]
    cells += [f"{bound:.1f} ({folder / bound:.2f})", *(f"{part:.2f}" for part in parts)]
    return f"| {' | '.join([*names, *cells])} |"


@click.command(help=__doc__)
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--runtime", "runtimes", multiple=True, type=click.Choice(list(RUNTIMES)), help="Default: the file's own."
)
@click.option("--rounds", default=5, show_default=True)
def main(models: tuple[Path, ...], runtimes: tuple[str, ...], rounds: int) -> None:
    """Print a Markdown table."""
    click.echo(f"{describe_environment(environment())}, {datetime.date.today()}\n")
    click.echo(f"| model | runtime | photographs | network | copies | folder | bound | {' | '.join(PARTS)} |")
    click.echo("|" + "---|" * (7 + len(PARTS)))
    with tempfile.TemporaryDirectory() as temporary:
        photos = {kind: make_photos(Path(temporary) / kind, *PHOTOS[kind]) for kind in PHOTOS}
        for model in models:
            for runtime in runtimes or (None,):
                plan = PredictionPlan.make(model, runtime=runtime)
                for kind, paths in photos.items():
                    case = Case(plan, paths, Path(temporary) / f"{kind} masks")
                    names = (f"{model.parent.name}/{model.name}", plan.runtime, kind)
                    click.echo(table_row(names, measure(case, rounds)))


if __name__ == "__main__":
    main()
