"""Tables of the terminal as HTML, for notebooks."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["rich_html"]

_CODE = '<pre style="white-space:pre;overflow-x:auto;line-height:normal">{code}</pre>'


def rich_html(*renderables: RenderableType, width: int = 120) -> str:
    """HTML of tables and texts of rich, one below the other; their text is escaped.

    Args:
        renderables: What `rich.console.Console.print` takes.
        width: Characters a line, at most.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, file=io.StringIO(), width=width, force_jupyter=False, color_system=None)
    for part in renderables:
        console.print(part, soft_wrap=isinstance(part, Text))  # paths may be longer than a line
    return console.export_html(inline_styles=True, code_format=_CODE)
