"""Drawn faces as data sets come: the example of docs/data.md.

    python tools/make_dirty_faces.py faces

``photos/``    60 drawn faces, JPEG: two of them are the same, one file is cut short
``labels/``    masks at half the size, eyeglasses black on white; one is missing
``overlays/``  pictures that are neither images nor masks
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from kseg.demo.faces import make_faces

COUNT = 60
SIZE = (160, 160)


def main(folder: Path) -> None:
    """Draw the faces into a new folder, and spoil them."""
    drawn = make_faces(folder / "drawn", COUNT, size=SIZE, seed=3)
    for name in ("photos", "labels", "overlays"):
        (folder / name).mkdir()
    for path in sorted((drawn / "images").iterdir()):
        photo = Image.open(path).convert("RGB")
        mask = Image.open(drawn / "masks" / f"{path.stem}.png")
        photo.save(folder / "photos" / f"{path.stem}.jpg")
        half = mask.resize((SIZE[1] // 2, SIZE[0] // 2), Image.Resampling.NEAREST)
        Image.fromarray(255 - np.asarray(half)).save(folder / "labels" / f"{path.stem}.png")
        Image.blend(photo, mask.convert("RGB"), 0.4).save(folder / "overlays" / f"{path.stem}.jpg")
    shutil.rmtree(drawn)
    photos = sorted((folder / "photos").iterdir())
    photos[5].write_bytes(photos[5].read_bytes()[:2000])
    for kind in ("photos", "labels"):
        first, second = sorted((folder / kind).iterdir())[10:12]
        shutil.copy(first, second)
    (folder / "labels" / f"{photos[20].stem}.png").unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
