"""Export: a trained model as SavedModel, TFLite (quantised or not) and ONNX, each scored before it is believed."""

from kseg.export.stage import ExportReport, export_model
from kseg.export.table import EXPORTERS, Exporter, choose, left_out

__all__ = ["EXPORTERS", "ExportReport", "Exporter", "choose", "export_model", "left_out"]
