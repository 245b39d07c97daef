"""Evaluation: a predictor's scores on true masks, at the images' original size. Imports no TensorFlow by itself."""

from kseg.evaluation.scores import ImageScore, Scores
from kseg.evaluation.source import dataset_of, load_data
from kseg.evaluation.stage import check_labels, evaluate

__all__ = ["ImageScore", "Scores", "check_labels", "dataset_of", "evaluate", "load_data"]
