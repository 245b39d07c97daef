"""Export: a trained model as SavedModel and TFLite, quantised or not, each scored before it is believed."""

from kseg.export.stage import ExportReport, export_model
from kseg.export.table import EXPORTERS, Exporter, choose

__all__ = ["EXPORTERS", "ExportReport", "Exporter", "choose", "export_model"]
