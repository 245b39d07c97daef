"""Run by a Python with MediaPipe: what its ImageSegmenter makes of a .tflite file.

    python mediapipe_masks.py MODEL.tflite IMAGES.npy MASKS.npz

Images are uint8 [N, H, W, 3]; MASKS.npz gets ``category`` uint8 [N, H, W] and ``confidence`` float32 [N, H, W, C].
Prints the labels, a line each.
"""

import sys

import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions
from mediapipe.tasks.python.vision import ImageSegmenter, ImageSegmenterOptions

model, images, masks = sys.argv[1:]
options = ImageSegmenterOptions(
    BaseOptions(model_asset_path=model), output_category_mask=True, output_confidence_masks=True
)
categories, confidences = [], []
with ImageSegmenter.create_from_options(options) as segmenter:
    for image in np.load(images):
        result = segmenter.segment(mp.Image(mp.ImageFormat.SRGB, image))
        categories.append(result.category_mask.numpy_view().reshape(image.shape[:2]).copy())
        planes = [mask.numpy_view().reshape(image.shape[:2]).copy() for mask in result.confidence_masks]
        confidences.append(np.stack(planes, axis=-1))
    print("\n".join(segmenter.labels))
np.savez(masks, category=np.stack(categories), confidence=np.stack(confidences))
