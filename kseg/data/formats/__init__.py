"""From files to samples: a reader per format, the guess of a folder's format, and the writer of index masks.

::

    layout       a folder → the DataSpec that reads it
    table        READERS by name: folders, lists, manifest, coco, labelme, yolo, voc, tfds
    reader       the interface of the readers
    outlines     polygons and run lengths → pixels
    index_masks  a data set → PNG files of class ids, and a manifest for reading them
"""
