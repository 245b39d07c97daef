"""Benchmark: latency, throughput, memory and load time of artifacts, here and beside another machine's results."""

from kseg.latency.report import check_comparable, comparison_table, results_table
from kseg.latency.results import Latency, Results, Row, read_results, write_results
from kseg.latency.stage import Settings, run_benchmark
from kseg.latency.targets import Target, find_targets

__all__ = [
    "Latency",
    "Results",
    "Row",
    "Settings",
    "Target",
    "check_comparable",
    "comparison_table",
    "find_targets",
    "read_results",
    "results_table",
    "run_benchmark",
    "write_results",
]
