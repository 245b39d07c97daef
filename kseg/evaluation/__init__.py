"""Evaluation: a predictor's scores on true masks, at the images' original size. Imports no TensorFlow by itself."""

from kseg.evaluation.counts import CLASS_SCORES, Counts, Score, count
from kseg.evaluation.scores import Classes, ImageScore, Scores
from kseg.evaluation.source import dataset_of, load_data
from kseg.evaluation.stage import check_labels, evaluate

__all__ = [
    "CLASS_SCORES",
    "Classes",
    "Counts",
    "ImageScore",
    "Score",
    "Scores",
    "check_labels",
    "count",
    "dataset_of",
    "evaluate",
    "load_data",
]
