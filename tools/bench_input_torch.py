"""The PyTorch process of bench_input.py: a DataLoader with albumentations. It runs in a Python without kseg.

Reads one line of JSON (the job), then answers each line ``[name, seconds]`` with the measured images/s.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def main() -> None:
    """Answer the lines of stdin until it ends."""
    import albumentations
    import cv2
    import numpy as np
    import torch

    job = json.loads(sys.stdin.readline())
    height, width = job["size"]
    table = np.array(job["table"], np.uint8)
    # Pixels from outside the image are black and ignored, as in kseg.
    augment = albumentations.Compose(
        [
            albumentations.HorizontalFlip(p=0.5),
            albumentations.Affine(
                scale=tuple(job["scale"]), translate_percent=(-job["shift"], job["shift"]),
                rotate=(-job["degrees"], job["degrees"]), border_mode=cv2.BORDER_CONSTANT, fill=0, fill_mask=255,
                p=1.0,
            ),
            albumentations.RandomBrightnessContrast(job["brightness"], job["contrast"], p=1.0),
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
            self.decoded = [decode(*pair) for pair in job["pairs"]] if in_memory else None

        def __len__(self) -> int:
            return len(job["pairs"])

        def __getitem__(self, index: int) -> tuple[Any, Any]:
            image, mask = self.decoded[index] if self.decoded else decode(*job["pairs"][index])
            sample = augment(image=image, mask=mask)
            # Channels stay last, unlike usual in PyTorch, so that both pipelines do the same work.
            return torch.from_numpy(sample["image"]).float(), torch.from_numpy(sample["mask"])

    def worker(number: int) -> None:
        del number
        cv2.setNumThreads(0)  # as albumentations advises: each worker has its own core
        torch.set_num_threads(1)

    def batches(in_memory: bool) -> Any:
        loader = torch.utils.data.DataLoader(
            Samples(in_memory=in_memory), batch_size=job["batch"], shuffle=True, num_workers=job["workers"],
            worker_init_fn=worker, persistent_workers=job["workers"] > 0, drop_last=True,
        )  # fmt: skip
        while True:
            yield from loader

    sources = {"files": batches(False), "memory": batches(True)}
    for line in sys.stdin:
        name, seconds = json.loads(line)
        source = sources[name]
        for _ in range(8):  # batches that were prefetched since the last measurement
            next(source)
        begin, done = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds:
            done += len(next(source)[0])
        print(json.dumps(done / (time.perf_counter() - begin)), flush=True)


if __name__ == "__main__":
    main()
