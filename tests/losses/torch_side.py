"""The losses of PyTorch and segmentation_models.pytorch, for test_torch.py: run by a Python that has them.

    python torch_side.py batch.npz      prints {"name": value}

The file holds ``ids`` and ``logits`` of several channels, ``binary_ids`` and ``binary_logits`` of one, and ``weights``.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import types

import numpy as np
import torch
from torch.nn import functional


def smp_losses() -> types.ModuleType:
    """``segmentation_models_pytorch.losses`` alone: the package itself would ask for timm and torchvision."""
    spec = importlib.util.find_spec("segmentation_models_pytorch")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    package = types.ModuleType("segmentation_models_pytorch")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules["segmentation_models_pytorch"] = package
    return importlib.import_module("segmentation_models_pytorch.losses")


def main(path: str) -> None:
    smp = smp_losses()
    arrays = np.load(path)
    ids, binary_ids = (torch.from_numpy(arrays[key].astype(np.int64)) for key in ("ids", "binary_ids"))
    logits, binary = (torch.from_numpy(arrays[key]).permute(0, 3, 1, 2) for key in ("logits", "binary_logits"))
    many, one, void = (logits, ids), (binary, binary_ids[:, None]), {"ignore_index": 255}
    weights = [float(weight) for weight in arrays["weights"]]
    tensor, kept = torch.tensor(weights), binary_ids[:, None] != 255
    found = {
        "cross_entropy": functional.cross_entropy(*many, **void),
        "cross_entropy smoothing": functional.cross_entropy(*many, **void, label_smoothing=0.1),
        "cross_entropy weights": functional.cross_entropy(*many, **void, weight=tensor),
        # Without its ignore_index, which leaves ignored pixels in the count that the sum is divided by.
        "bce one": smp.SoftBCEWithLogitsLoss(ignore_index=None)(binary[kept], binary_ids[:, None][kept].float()),
        "focal one": smp.FocalLoss("binary", **void)(*one),
        # Its multi-class focal loss is one of sigmoids.
        "focal sigmoid": smp.FocalLoss("multiclass", gamma=1.5, **void)(*many),
        # Its Dice is a Tversky index with halves, and so is its smooth half of ours.
        "dice": smp.DiceLoss("multiclass", smooth=0.5, **void)(*many),
        "dice smooth": smp.DiceLoss("multiclass", smooth=0.0, **void)(*many),
        "dice weights": smp.DiceLoss("multiclass", smooth=0.5, class_weights=weights, **void)(*many),
        "dice one": smp.DiceLoss("binary", smooth=0.5, **void)(*one),
        "jaccard": smp.JaccardLoss("multiclass", smooth=1.0, **void)(*many),
        "jaccard one": smp.JaccardLoss("binary", smooth=1.0, **void)(*one),
        "log_jaccard": smp.JaccardLoss("multiclass", smooth=1.0, log_loss=True, **void)(*many),
        "tversky": smp.TverskyLoss("multiclass", smooth=1.0, alpha=0.3, beta=0.7, **void)(*many),
        "focal_tversky one": smp.TverskyLoss("binary", smooth=1.0, alpha=0.3, beta=0.7, gamma=0.75, **void)(*one),
        "lovasz": smp.LovaszLoss("multiclass", **void)(*many),
        "lovasz one": smp.LovaszLoss("binary", **void)(*one),
    }
    print(json.dumps({name: float(value) for name, value in found.items()}))


if __name__ == "__main__":
    main(sys.argv[1])
