from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from kseg.errors import OutputError
from kseg.files import (
    cache_folder,
    link_or_copy,
    make_folder,
    new_folder,
    safe_child,
    write_aside,
    write_bytes,
    write_json,
)
from tests.limits import files_up_to


def test_a_full_disk_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_bytes(path, b"good")
    message = r"a\.bin: cannot write the file; found .*; the earlier file is untouched"
    with files_up_to(1000), pytest.raises(OutputError, match=message):
        write_bytes(path, b"x" * 5000)
    assert path.read_bytes() == b"good"
    assert os.listdir(tmp_path) == ["a.bin"], "nothing half-written stays behind"


@pytest.mark.parametrize("name", ["x" * 251 + ".png", "ü" * 125 + ".png", "🙂" * 62 + ".tiff", "x." + "y" * 253])
def test_names_as_long_as_the_file_system_allows(tmp_path: Path, name: str) -> None:
    for data in (b"first", b"second"):
        write_bytes(tmp_path / name, data)
        assert (tmp_path / name).read_bytes() == data
    assert os.listdir(tmp_path) == [name]


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    message = "cannot write the file; expected a name that the file system allows, mostly of at most 255 bytes; found "
    with pytest.raises(OutputError, match=message) as error:
        write_bytes(tmp_path / ("x" * 252 + ".png"), b"")
    assert error.value.exit_code == 1
    assert os.listdir(tmp_path) == []


def test_a_temporary_file_has_the_suffix_of_its_file(tmp_path: Path) -> None:
    with write_aside(tmp_path / ("x" * 250 + ".json")) as aside:
        assert aside.suffix == ".json"
        assert aside.name.startswith(".xxx")
        aside.touch()


def test_any_error_inside_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_bytes(path, b"good")

    def half() -> None:
        with write_aside(path) as aside:
            aside.write_bytes(b"ba")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert path.read_bytes() == b"good"
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_with_two_names_is_replaced_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    last, best = tmp_path / "last", tmp_path / "best"
    for text in (b"1", b"2"):
        write_bytes(last, text)
        link_or_copy(last, best)
        assert best.read_bytes() == text
    write_bytes(last, b"3")
    assert best.read_bytes() == b"2"


def test_json_ends_in_a_newline(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": 1})
    assert (tmp_path / "a.json").read_text() == '{\n  "a": 1\n}\n'


def test_new_folders_are_numbered_and_never_reused(tmp_path: Path) -> None:
    names = [new_folder(tmp_path / "fit", "pets").name for _ in range(3)]
    assert names == ["pets", "pets2", "pets3"]


@pytest.mark.parametrize("name", ["../out", "", ".", "a/../..", "/etc/kseg"])
def test_names_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="the name leads out of the output folder"):
        safe_child(tmp_path / "x", name)


def test_a_folder_in_the_place_of_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/sub: the output folder cannot be written; found Not a directory"):
        make_folder(tmp_path / "file" / "sub")


def test_a_folder_is_replaced_as_a_whole_or_stays(tmp_path: Path) -> None:
    target = tmp_path / "saved_model"
    for name in ("old", "new"):
        with write_aside(target) as aside:
            aside.mkdir()
            (aside / name).touch()
    assert [path.name for path in target.iterdir()] == ["new"]

    def fail() -> None:
        with write_aside(target) as aside:
            aside.mkdir()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [path.name for path in target.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["saved_model"], "nothing is left beside it"


def test_a_file_takes_no_folder_s_place(tmp_path: Path) -> None:
    (tmp_path / "a.bin" / "theirs").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"a\.bin: cannot write the file"):
        write_bytes(tmp_path / "a.bin", b"x")
    assert (tmp_path / "a.bin" / "theirs").is_dir()


def test_a_read_only_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may write anywhere, so the refusal has to come from the call itself.
    def refuse(self: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(OutputError, match="cannot be written; found Permission denied; choose another folder"):
        make_folder(tmp_path)


def test_where_caches_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("KSEG_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == Path("/home/me/.cache/kseg")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_folder() == Path("/x/kseg")
    monkeypatch.setenv("KSEG_CACHE", "~/there")
    assert cache_folder() == Path("/home/me/there")
