"""Parity: what of the model is still in its artifact, measured on held-out images; and the gate that decides by it."""
