"""The card of an OpenVINO network: an entry of the ``rt_info`` at the end of ``model.xml``.

OpenVINO keeps entries that it does not know, and returns them as ``model.get_rt_info(["kseg_card"])``::

    <net …>
      <layers>…</layers> <edges>…</edges>
      <rt_info>
        <kseg_card value="the JSON" />
        <kseg_weights value="the size and the CRC-32 of model.bin" />
      </rt_info>
    </net>

Only that end is parsed, by expat, where no DOCTYPE and hence no entity can be declared. ``kseg_weights`` ties the two
files together: weights of another network, or cut off, would otherwise go unnoticed.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from kseg.card.limits import check_size
from kseg.files import write_bytes

__all__ = ["GRAPH", "network_file", "read", "weights_file", "write"]

GRAPH: Final = "model.xml"
"""The file that makes a folder an OpenVINO network."""
_CARD: Final = "kseg_card"
_WEIGHTS: Final = "kseg_weights"
_MAX_XML: Final = 256 * 1024 * 1024
_CLOSING: Final = b"</net>"
_TAG: Final = re.compile(rb"""<([^\s/>]+)(?:"[^"]*"|'[^']*'|[^>"'])*>(?:\s*</\1\s*>)?""")
"""An element without content, from its first character on."""
_MAX_DEPTH: Final = 64


def network_file(path: Path) -> Path:
    """``model.xml`` of a folder; a file stands for itself."""
    return path / GRAPH if path.is_dir() else path


def weights_file(path: Path) -> Path:
    """The file of the weights, beside ``model.xml``."""
    return network_file(path).with_suffix(".bin")


def read(path: Path) -> bytes | None:
    """The card's JSON; None for a network without one.

    Raises:
        ValueError: It is no such network, it is cut off, or the weights are missing or of another network.
        OSError: A file cannot be read.
    """
    xml = _read_xml(network_file(path))
    entries = {entry.name: entry.value for entry in _entries(xml[_rt_info_start(xml) : _net_end(xml)])}
    weights = weights_file(path)
    if not weights.is_file():
        raise ValueError(f"no {weights.name} with the weights beside it")
    if entries.get(_WEIGHTS) not in (None, _fingerprint(weights)):
        raise ValueError(f"{weights.name} beside it is cut off, or holds the weights of another network")
    if _CARD not in entries:
        return None
    check_size(len(entries[_CARD]))
    return entries[_CARD].encode("utf-8")


def write(path: Path, text: str) -> None:
    """Replace or add the card, and what identifies the weights. Raises OutputError, ValueError, OSError."""
    file = network_file(path)
    xml = _read_xml(file)
    start, end = _rt_info_start(xml), _net_end(xml)
    block = _without_ours(xml[start:end] or b"\n\t<rt_info></rt_info>")
    added = f"\t<{_CARD} value={_quoted(text)} />\n\t\t<{_WEIGHTS} value={_quoted(_fingerprint(weights_file(file)))} />"
    head, closing, tail = block.rpartition(b"</rt_info>")
    block = head.rstrip() + b"\n\t" + added.encode() + b"\n\t" + closing + tail
    write_bytes(file, xml[:start] + block + xml[end:])


def _without_ours(block: bytes) -> bytes:
    """The rt_info without the entries that kseg wrote."""
    for entry in reversed(_entries(block)):
        tag = _TAG.match(block, entry.position)
        if entry.name in (_CARD, _WEIGHTS) and tag:
            block = block[: entry.position].rstrip() + block[tag.end() :]
    return block


def _quoted(text: str) -> str:
    """The text as the value of an attribute; `read` gets it back as it is, line breaks included."""
    return quoteattr(text, {">": "&gt;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;", '"': "&quot;"})


def _read_xml(file: Path) -> bytes:
    if file.stat().st_size > _MAX_XML:
        raise ValueError(f"an XML file of more than {_MAX_XML} bytes")
    xml = file.read_bytes()
    head = xml[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"<?xml"):
        head = head.partition(b"?>")[2].lstrip()
    if not head.startswith(b"<net"):
        raise ValueError("no XML with the element <net> at its start")
    return xml


def _net_end(xml: bytes) -> int:
    """The position of ``</net>``, with which the file must end, and of the blanks before it."""
    content = xml.rstrip()
    if not content.endswith(_CLOSING):
        raise ValueError("it does not end with </net>")
    return len(content.removesuffix(_CLOSING).rstrip())


def _rt_info_start(xml: bytes) -> int:
    """The position of the network's own rt_info; that of ``</net>`` if it has none.

    Layers may have one, too, but that of the network is the last, directly before ``</net>``.
    """
    end = _net_end(xml)
    start = xml.rfind(b"<rt_info", 0, end)
    return start if start >= 0 and xml[:end].endswith(b"</rt_info>") else end


def _fingerprint(weights: Path) -> str:
    size, crc = 0, 0
    with weights.open("rb") as file:
        while chunk := file.read(1 << 20):
            size, crc = size + len(chunk), zlib.crc32(chunk, crc)
    return f"{size} {crc:08x}"


@dataclass(frozen=True)
class _Entry:
    """An element directly within ``<rt_info>``, and the position of its first byte."""

    name: str
    value: str
    position: int


def _entries(block: bytes) -> list[_Entry]:
    """The entries of an rt_info that have a value, in their order. Raises ValueError."""
    entries: list[_Entry] = []
    parser = expat.ParserCreate("utf-8")
    depth = 0

    def start(name: str, attributes: Mapping[str, str]) -> None:
        nonlocal depth
        if depth == 1 and "value" in attributes:
            entries.append(_Entry(name, attributes["value"], parser.CurrentByteIndex))
        depth += 1
        if depth > _MAX_DEPTH:
            raise ValueError("its XML is nested too deeply")

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        parser.Parse(block or b"<rt_info/>", True)
    except expat.ExpatError as error:
        raise ValueError(f"the XML of its rt_info is damaged: {error}") from error
    return entries
