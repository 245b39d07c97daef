"""``kseg demo``: the whole way from pictures to a quantised model (`tour`), on drawn faces (`faces`)."""
