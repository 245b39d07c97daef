"""The PyTorch side of bench_input.py: a DataLoader with albumentations, in a Python that has both; no kseg.

Reads one line of JSON (the work), then answers each further line, a number of seconds, with the rate that it measured.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def main() -> None:
    """Answer until the input ends."""
    import albumentations
    import cv2
    import numpy as np
    import torch

    work = json.loads(sys.stdin.readline())
    height, width = work["size"]
    table = np.array(work["table"], np.uint8)
    # Black and ignored outside, as in kseg.
    vary = albumentations.Compose(
        [
            albumentations.HorizontalFlip(p=0.5),
            albumentations.Affine(
                scale=tuple(work["scale"]), translate_percent=(-work["shift"], work["shift"]),
                rotate=(-work["degrees"], work["degrees"]), border_mode=cv2.BORDER_CONSTANT, fill=0, fill_mask=255,
                p=1.0,
            ),
            albumentations.RandomBrightnessContrast(work["brightness"], work["contrast"], p=1.0),
        ]
    )  # fmt: skip

    def decode(image: str, mask: str) -> tuple[Any, Any]:
        pixels = cv2.cvtColor(cv2.imread(image, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        ids = table[cv2.imread(mask, cv2.IMREAD_UNCHANGED)]
        return (
            cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA),
            cv2.resize(ids, (width, height), interpolation=cv2.INTER_NEAREST),
        )

    class Samples(torch.utils.data.Dataset):
        def __init__(self, *, in_memory: bool) -> None:
            self.held = [decode(*pair) for pair in work["pairs"]] if in_memory else None

        def __len__(self) -> int:
            return len(work["pairs"])

        def __getitem__(self, index: int) -> tuple[Any, Any]:
            image, mask = self.held[index] if self.held else decode(*work["pairs"][index])
            done = vary(image=image, mask=mask)
            # Without the usual change to channels first, so that both sides do the same.
            return torch.from_numpy(done["image"]).float(), torch.from_numpy(done["mask"])

    def worker(number: int) -> None:
        del number
        cv2.setNumThreads(0)  # as albumentations advises: the workers share the cores already
        torch.set_num_threads(1)

    def batches(in_memory: bool) -> Any:
        loader = torch.utils.data.DataLoader(
            Samples(in_memory=in_memory), batch_size=work["batch"], shuffle=True, num_workers=work["workers"],
            worker_init_fn=worker, persistent_workers=work["workers"] > 0, drop_last=True,
        )  # fmt: skip
        while True:
            yield from loader

    sources = {"files": batches(False), "memory": batches(True)}
    for line in sys.stdin:
        name, seconds = json.loads(line)
        source = sources[name]
        for _ in range(8):  # what was fetched ahead since the last time
            next(source)
        begin, done = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds:
            done += len(next(source)[0])
        print(json.dumps(done / (time.perf_counter() - begin)), flush=True)


if __name__ == "__main__":
    main()
