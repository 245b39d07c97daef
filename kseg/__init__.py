"""kseg: from a folder of pictures and masks to a trained U-Net, its scores and a fast artifact.

The package imports nothing heavy by itself; see CONTRIBUTING.md for the rooms and who may import whom.
"""

__version__ = "0.1.0"
