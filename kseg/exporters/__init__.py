"""Export a trained model to other formats, and keep each file that is still the model on real images."""

from kseg.exporters.parity.gate import MAX_IOU_DROP
from kseg.exporters.stage import ExportReport, export_model
from kseg.exporters.table import EXPORTERS, Exporter, choose, climbs, uninstalled

__all__ = ["EXPORTERS", "MAX_IOU_DROP", "ExportReport", "Exporter", "choose", "climbs", "export_model", "uninstalled"]
