"""From files to samples: one reader a format, the guess which format a folder has, and masks written back.

::

    layout       a folder → the DataSpec that reads it
    table        READERS by name: folders, lists, manifest, coco, labelme, yolo, voc, tfds
    reader       what every reader takes and returns
    outlines     polygons and run lengths → pixels
    index_masks  a dataset → PNG files of class ids, with the manifest that reads them
"""
