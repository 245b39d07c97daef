from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kseg.data.names import NameIndex, is_hidden, match_names, quote_line, unquote_line

NFC = "caf\u00e9"
NFD = unicodedata.normalize("NFD", NFC)
TEXT = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a", 1), ("A", 1), ("B", None), ("b ", None), (NFC, 4), (NFD, 4), (NFC.upper(), 4), ("x", 5), ("X", 5)],
)
def test_an_item_is_found_by_spellings_that_fit_it_alone(name: str, expected: int | None) -> None:
    items = {"a": 1, "bB": 2, "Bb": 3, NFD: 4, "x": 5, "X": 5}
    assert NameIndex(items).find(name) == expected
    assert NameIndex(items).get(name) == items.get(name)


@given(st.lists(TEXT, unique=True, max_size=6))
def test_equal_names_are_always_paired(names: list[str]) -> None:
    assert match_names(names, reversed(names)) == {name: name for name in names}


def test_the_composed_form_comes_before_case() -> None:
    upper = NFC.upper()
    assert match_names([NFC, upper], [NFD]) == {NFC: NFD}
    assert NameIndex({NFC: 1, upper: 2}).find(NFD) == 1


@given(
    st.lists(st.text("aA\u00e9e\u0301", max_size=3), unique=True, max_size=6),
    st.lists(st.text("aA\u00e9e\u0301", max_size=3), unique=True, max_size=6),
)
def test_names_are_paired_alike_from_both_sides_and_each_once(first: list[str], second: list[str]) -> None:
    pairs = match_names(first, second)
    assert {other: name for name, other in match_names(second, first).items()} == pairs
    assert len(set(pairs.values())) == len(pairs)
    for name, other in pairs.items():
        assert unicodedata.normalize("NFC", name).casefold() == unicodedata.normalize("NFC", other).casefold()
        assert name == other or (name not in second and other not in first)


@given(st.lists(TEXT, min_size=1, max_size=2))
def test_every_path_can_be_written_as_a_line(paths: list[str]) -> None:
    line = quote_line(*paths)
    assert len(line.splitlines()) == 1
    assert line == line.strip()
    assert line[0] not in "#\ufeff"
    assert unquote_line(line) == tuple(paths) or (not unquote_line(line) and line == " ".join(paths))


@pytest.mark.parametrize(
    ("paths", "line"),
    [
        (("images/my cat.png",), "images/my cat.png"),
        (("a.png", "b.png"), "a.png b.png"),
        (("my cat.png", "b.png"), '"my cat.png" "b.png"'),
        (("#1.png",), '"#1.png"'),
        (("a\nb.png",), '"a\\nb.png"'),
    ],
)
def test_lines_are_quoted_only_where_needed(paths: tuple[str, ...], line: str) -> None:
    assert quote_line(*paths) == line


@pytest.mark.parametrize("line", ["a.png", '"a.png', '"a"b', "12", '["a"]', '"a" b', "", '"a", "b"'])
def test_other_lines_are_no_quoted_paths(line: str) -> None:
    assert unquote_line(line) == ()


@pytest.mark.parametrize("name", ["._a.png", ".ipynb_checkpoints", ".DS_Store", "__MACOSX"])
def test_hidden_names(name: str) -> None:
    assert is_hidden(name)
    assert not is_hidden(f"a{name}")
