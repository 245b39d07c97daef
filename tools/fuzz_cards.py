"""Fuzz the readers of model cards: damaged and hostile files of every format, none of which may end in a traceback.

    python tools/fuzz_cards.py --inputs 100000

An input is a right file with a card to which one to four mutations are applied: flipped bits, cut ends, spliced,
repeated and random bytes, and changes of the card's JSON. `read_card` must return a card or raise `KsegError`, within
a second of computing and 500 MB; so must `write_card` on the same file, and what it has written must be read back.
The seed of an input is its number, so that a failure is repeated by ``--first NUMBER --inputs 1``.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import resource
import shutil
import signal
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kseg.card import ModelCard, find_card, read_card, write_card
from kseg.errors import KsegError
from kseg.labels import LabelMap

CARD = ModelCard("pets", "unet", 96, 128, LabelMap(("background", "pet")), provenance={"note": 'a <b> & "c"\n'})
NAMES = ("m.keras", "m.tflite", "m.onnx", "saved_model", "openvino")
SECONDS = 1.0
MEGABYTES = 500

XML = """<?xml version="1.0"?>
<net name="m" version="11">
\t<layers><layer id="0" name="x" type="Parameter" version="opset1"><rt_info><a value="1" /></rt_info></layer></layers>
\t<rt_info>
\t\t<Runtime_version value="2026" />
\t</rt_info>
</net>
"""
ODD_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 10**9, 10**400, 1e308, float("nan"), float("inf"), "", "a\nb", "\x1b[2J", "\ud800", "x" * 5000,
    [], {}, [[]], [None], {"": ""}, ["background", "background"], [[0, 0, 0]] * 300, "softmax", 2, 3,
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    started = time.perf_counter()
    outcomes = fuzz(range(arguments.first, arguments.first + arguments.inputs))
    for outcome, count in sorted(outcomes.items()):
        print(f"{count:8d}  {outcome}")
    print(f"{arguments.inputs} inputs in {time.perf_counter() - started:.0f} s, no traceback")


def fuzz(numbers: range) -> Counter[str]:
    """Try the inputs of these numbers; returns what became of them. Raises AssertionError for a failure."""
    _limit_memory()
    with tempfile.TemporaryDirectory(prefix="kseg-fuzz-") as folder:
        good = {name: make(Path(folder) / "good", name) for name in NAMES}
        return Counter(_try(number, good, Path(folder) / "bad") for number in numbers)


def make(folder: Path, name: str) -> Path:
    """A small right file, or folder, with a card."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    if name == "m.keras":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", "{}")
            archive.writestr("model.weights.h5", bytes(range(256)), zipfile.ZIP_DEFLATED)
    elif name == "m.tflite":
        path.write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(range(256)))
    elif name == "m.onnx":
        path.write_bytes(b"\x08\x08\x12\x07tf2onnx\x3a\x05graph\x72\x08\x0a\x02ab\x12\x02cd")
    else:
        path.mkdir()
        (path / ("model.xml" if name == "openvino" else "saved_model.pb")).write_text(XML)
        (path / "model.bin").write_bytes(b"weights")
    write_card(path, CARD)
    return path


def _try(number: int, good: dict[str, Path], bad: Path) -> str:
    """Make the input of this number and read it; returns the format and the outcome."""
    dice = random.Random(number)
    name = NAMES[number % len(NAMES)]
    shutil.rmtree(bad, ignore_errors=True)
    bad.mkdir()
    path = bad / name
    (shutil.copytree if good[name].is_dir() else shutil.copy)(good[name], path)
    _damage(path, good, dice)
    try:
        return f"{name}: {_outcome(path)}"
    except Exception:
        traceback.print_exc()
        raise AssertionError(f"input {number} ({name}) failed: --first {number} --inputs 1") from None


def _outcome(path: Path) -> str:
    outcome = _checked(lambda: "no card" if find_card(path) is None else "read")
    written = _checked(lambda: _write(path))
    if written == "written" and outcome in ("no card", "read"):
        assert read_card(path) == CARD
    return outcome


def _write(path: Path) -> str:
    write_card(path, CARD)
    return "written"


def _checked(act: Callable[[], str]) -> str:
    """The result, or ``refused`` for a KsegError of one line. Raises TimeoutError after `SECONDS` of computing."""
    signal.signal(signal.SIGPROF, _too_slow)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        return act()
    except KsegError as error:
        refusal = str(error)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    assert "\n" not in refusal
    assert len(refusal) < 1000, refusal
    return "refused"


def _too_slow(*_: object) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


def _limit_memory() -> None:
    """Let allocations beyond `MEGABYTES` above today's use fail, which ends in a MemoryError, and so in a failure."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEGABYTES * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _damage(path: Path, good: dict[str, Path], dice: random.Random) -> None:
    files = sorted(file for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())
    if dice.random() < 0.4:
        _replace_card(path, _odd_json(dice))
    if dice.random() < 0.7:
        file = dice.choice(files)
        others = [other for other in good.values() if other.is_file()]
        data = bytearray(file.read_bytes())
        for _ in range(dice.randint(1, 4)):
            data = dice.choice(MUTATIONS)(data, dice, dice.choice(others))
        file.write_bytes(data)


def _replace_card(path: Path, text: str) -> None:
    """Write the text as the card's, by the writer of the format itself."""
    from kseg.card.storage import _FORMATS, artifact_format

    format = artifact_format(path)
    assert format is not None
    _FORMATS[format].write(path, text)


def _odd_json(dice: random.Random) -> str:
    data = json.loads(CARD.to_json())
    for _ in range(dice.randint(1, 3)):
        holder: Any = data
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not keys:
                break
            key = dice.choice(keys)
            if isinstance(holder[key], (dict, list)) and dice.random() < 0.6:
                holder = holder[key]
                continue
            if dice.random() < 0.2:
                del holder[key]
            else:
                holder[key] = copy.deepcopy(dice.choice(ODD_VALUES))
            break
    text = json.dumps(data)
    if dice.random() < 0.1:
        depth = dice.choice((10, 40, 2000, 100_000))
        text = text[:-1] + ', "deep": ' + "[" * depth + "]" * depth + "}"
    if dice.random() < 0.05:
        text = text[:-1] + ', "name": "twice"}'
    return text.replace("pet", dice.choice(("pet", "p\\u0000t", "p\\ud800")))


def _flip(data: bytearray, dice: random.Random, _: Path) -> bytearray:
    for _bit in range(dice.randint(1, 8) if data else 0):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return data


def _cut(data: bytearray, dice: random.Random, _: Path) -> bytearray:
    position = dice.randint(0, len(data))
    return data[:position] if dice.random() < 0.7 else data[position:]


def _splice(data: bytearray, dice: random.Random, other: Path) -> bytearray:
    donor, position = other.read_bytes(), dice.randint(0, len(data))
    start = dice.randint(0, len(donor))
    return data[:position] + donor[start : start + dice.randint(0, 400)] + data[position:]


def _repeat(data: bytearray, dice: random.Random, _: Path) -> bytearray:
    start = dice.randint(0, len(data))
    chunk = data[start : start + dice.randint(1, 300)]
    return data[:start] + chunk * dice.choice((2, 3, 50)) + data[start:]


def _overwrite(data: bytearray, dice: random.Random, _: Path) -> bytearray:
    """Bytes of the ends of ranges, of which lengths and offsets are made, or random ones."""
    position, size = dice.randint(0, len(data)), dice.choice((1, 2, 4, 8, 64))
    data[position : position + size] = dice.choice((b"\xff" * size, b"\0" * size, b"\x7f" * size, dice.randbytes(size)))
    return data


def _junk(_data: bytearray, dice: random.Random, _: Path) -> bytearray:
    return bytearray(dice.randbytes(dice.randint(0, 2000)))


MUTATIONS = (_flip, _flip, _flip, _overwrite, _overwrite, _overwrite, _cut, _splice, _repeat, _junk)


if __name__ == "__main__":
    main()
