"""From folders of pictures and masks to arrays of images and class ids. Nothing here but `pipeline` needs TensorFlow::

find_dataset     folders → pairs → Dataset (train, val, test)
check_dataset    every file read once; all that is wrong is told before training → DatasetReport
load_arrays      a split decoded and resized once → Arrays
pipeline         Arrays, or Streamed → batches (imports TensorFlow: `from kseg.data import pipeline`)
"""

from kseg.data.arrays import Arrays, Streamed, load_arrays
from kseg.data.augment import Augment
from kseg.data.checks import DatasetReport, check_dataset
from kseg.data.discover import find_dataset
from kseg.data.layout import guess_layout
from kseg.data.objects import Objects
from kseg.data.samples import SPLITS, Dataset, Sample, SplitName
from kseg.data.split import Folders, Fractions, Lists, Split, make_split
from kseg.data.truth import read_truth, read_values, truth_name

__all__ = [
    "SPLITS",
    "Arrays",
    "Augment",
    "Dataset",
    "DatasetReport",
    "Folders",
    "Fractions",
    "Lists",
    "Objects",
    "Sample",
    "Split",
    "SplitName",
    "Streamed",
    "check_dataset",
    "find_dataset",
    "guess_layout",
    "load_arrays",
    "make_split",
    "read_truth",
    "read_values",
    "truth_name",
]
