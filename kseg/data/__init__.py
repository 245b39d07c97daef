"""From folders of images and masks to batches of images and class ids.

::

    spec, sample, dataset    what a data set is
    formats/                 from files to samples: a reader per format, and the guess of a folder's format
    splits/                  which samples train, validate and test
    find                     all of the above: find_dataset(spec) → Dataset
    inspection/              checks and statistics
    pipeline/                decode → augment → batches of tf.data (TensorFlow)
    folder_batches           from_folder: all of it in one call, for a training of one's own
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kseg.lazy import lazy

if TYPE_CHECKING:
    from kseg.data.folder_batches import from_folder
    from kseg.data.spec import DataSpec, Folders, Fractions, Lists

__all__ = ["DataSpec", "Folders", "Fractions", "Lists", "from_folder"]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "DataSpec": "kseg.data.spec",
        "Folders": "kseg.data.spec",
        "Fractions": "kseg.data.spec",
        "Lists": "kseg.data.spec",
        "from_folder": "kseg.data.folder_batches",
    },
)
