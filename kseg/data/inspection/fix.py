"""Check a data set, apply the settings that the findings suggest, and check again until there are no new ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, NamedTuple, TypeVar

from kseg.data.inspection.inspect import Inspection, inspect_data
from kseg.data.spec import DataSpec
from kseg.parallel import Progress

__all__ = ["Round", "check_and_fix"]

Settings = TypeVar("Settings")

_MOST_ROUNDS: Final = 8
"""Largest number of repeated checks; each may reveal problems that the earlier ones hid."""


class Round(NamedTuple, Generic[Settings]):
    """One check: all settings, those of them that came from earlier findings, and the result."""

    settings: Settings
    fixes: Mapping[str, Any]
    inspection: Inspection


def check_and_fix(
    load: Callable[[Mapping[str, Any]], Settings],
    spec_of: Callable[[Settings], DataSpec],
    *,
    fix: bool,
    on_progress: Progress | None = None,
) -> tuple[Round[Settings], Round[Settings]]:
    """Check a data set and optionally apply the suggested settings.

    Args:
        load: From overrides by dotted key to all settings, the user's included.
        spec_of: From all settings to their DataSpec.
        fix: Whether to apply suggested settings and check again.
        on_progress: Called after each sample.

    Returns:
        The first check, and the last one; the same if nothing was applied.

    Raises:
        ConfigError, DataError: See `inspect_data`.
    """

    def check(fixes: Mapping[str, Any], earlier: Inspection | None) -> Round[Settings]:
        settings = load(fixes)
        return Round(settings, fixes, inspect_data(spec_of(settings), earlier=earlier, on_progress=on_progress))

    first = last = check({}, None)
    for _ in range(_MOST_ROUNDS if fix else 0):
        suggested = {key: value for finding in last.inspection.findings for key, value in finding.fix.items()}
        fixes = {**last.fixes, **suggested}
        if fixes == last.fixes:
            break
        last = check(fixes, last.inspection)
    return first, last
