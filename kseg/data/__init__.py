"""From folders of pictures and masks to arrays of images and class ids. Nothing here but `pipeline` needs TensorFlow::

find_dataset     folders → pairs → Dataset (train, val, test)
check_dataset    every file read once; all that is wrong is told before training → DatasetReport
load_arrays      a split decoded and resized once, in memory → Arrays
fill_cache       the same in files → Cached
pipeline         Arrays, Cached or Streamed → varied by `transforms` → batches (imports TensorFlow)
"""

from kseg.data.arrays import Arrays, Streamed, load_arrays
from kseg.data.cache import Cached, Source, fill_cache
from kseg.data.checks import Inspection, check_dataset, inspect_data
from kseg.data.discover import find_dataset
from kseg.data.findings import Finding
from kseg.data.layout import guess_layout
from kseg.data.masks import MasksReport, write_masks
from kseg.data.objects import Objects
from kseg.data.report import DatasetReport
from kseg.data.samples import SPLITS, Dataset, Sample, SplitName
from kseg.data.split import Folders, Fractions, Lists, Split, make_split
from kseg.data.truth import read_truth, read_values, truth_name

__all__ = [
    "SPLITS",
    "Arrays",
    "Cached",
    "Dataset",
    "DatasetReport",
    "Finding",
    "Folders",
    "Fractions",
    "Inspection",
    "Lists",
    "MasksReport",
    "Objects",
    "Sample",
    "Source",
    "Split",
    "SplitName",
    "Streamed",
    "check_dataset",
    "fill_cache",
    "find_dataset",
    "guess_layout",
    "inspect_data",
    "load_arrays",
    "make_split",
    "read_truth",
    "read_values",
    "truth_name",
    "write_masks",
]
