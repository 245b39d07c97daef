"""Export a trained model as SavedModel, TFLite (float32 or int8) and ONNX, and score each on real images."""

from kseg.exporters.stage import ExportReport, export_model
from kseg.exporters.table import EXPORTERS, Exporter, choose, uninstalled

__all__ = ["EXPORTERS", "ExportReport", "Exporter", "choose", "export_model", "uninstalled"]
