"""YOLO: text files of polygons, with or without a ``data.yaml`` that describes the data set."""
