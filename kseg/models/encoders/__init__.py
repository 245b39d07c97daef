"""Encoders: a scaled image → features by stride, see `kseg.models.encoders.encode`."""
