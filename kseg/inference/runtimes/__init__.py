"""What runs a network: a file each, with ``load(path, card, *, device, threads)`` → a function on batches."""
