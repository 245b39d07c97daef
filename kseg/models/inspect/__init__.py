"""Measure and draw networks: parts and their cost, a diagram, and the catalogue of all networks."""
