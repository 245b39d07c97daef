"""Evaluation: score a predictor against ground truth at the images' original size. Importing it loads no TensorFlow."""

from kseg.evaluation.counts import CLASS_SCORES, Counts, Score, count
from kseg.evaluation.scores import Classes, ImageScore, Scores
from kseg.evaluation.source import choose_split, load_data
from kseg.evaluation.stage import EvaluationPlan, OnScores, check_labels, evaluate

__all__ = [
    "CLASS_SCORES",
    "Classes",
    "Counts",
    "EvaluationPlan",
    "ImageScore",
    "OnScores",
    "Score",
    "Scores",
    "check_labels",
    "choose_split",
    "count",
    "evaluate",
    "load_data",
]
