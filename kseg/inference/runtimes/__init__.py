"""The runtimes, a file each: ``load(path, card, *, device, threads)`` returns the network as a function on batches."""
