"""COCO: one JSON file of images, categories and annotations."""
