"""Check a data set, make the settings that the findings ask for, and check again, until nothing is left to mend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, NamedTuple, TypeVar

from kseg.data.inspection.inspect import Inspection, inspect_data
from kseg.data.spec import DataSpec
from kseg.parallel import Progress

__all__ = ["Round", "check_and_fix"]

Settings = TypeVar("Settings")

_MOST_ROUNDS: Final = 8
"""How often the data are checked again with the settings that the last round asked for; each round may unveil more."""


class Round(NamedTuple, Generic[Settings]):
    """One check of the data: the settings, those of them that findings asked for, and what was found."""

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
    """The first check of the data, and the last one, with every setting that findings asked for.

    Args:
        load: From settings by dotted key, laid over the user's own, to all settings.
        spec_of: The description of the data in all settings.
        fix: Whether to go on after the first check.
        on_progress: Told after each sample.

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
