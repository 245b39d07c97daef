"""Export: a trained model as SavedModel, TFLite (quantised or not) and ONNX, each scored before it is believed."""

from kseg.exporters.stage import ExportReport, export_model
from kseg.exporters.table import EXPORTERS, Exporter, choose, left_out

__all__ = ["EXPORTERS", "ExportReport", "Exporter", "choose", "export_model", "left_out"]
