"""Legends of data sets in the forms that their tools write, and what is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kseg.data.formats.legend.find import Legend, find_legend
from kseg.data.spec import DataSpec
from kseg.errors import DataError
from kseg.labels import LabelMap


def write(root: Path, name: str, content: str | bytes) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def legend_of(root: Path, name: str, content: str | bytes) -> Legend:
    path = write(root, name, content)
    legend = find_legend(root)
    assert legend is not None
    assert legend.path == path
    return legend


CVAT = (
    "# label:color_rgb:parts:actions\nbackground:0,0,0::\ntraffic light:61,245,61::\nhuman:140,120,240:head,foot:walk\n"
)
CVAT_VALUES = {"#000000": "background", "#3df53d": "traffic light", "#8c78f0": "human"}
CATS: dict[int | str, str] = {0: "background", 1: "cat", 2: "dog"}
COLORS: dict[int | str, str] = {"#000000": "background", "#ff0000": "cat", "#00ff80": "dog"}
NAMES = ("background", "cat", "dog")


class TestFilesOfTools:
    @pytest.mark.parametrize("name", ["labelmap.txt", "label_map.txt", "LabelMap.TXT"])
    def test_cvat_masks(self, tmp_path: Path, name: str) -> None:
        legend = legend_of(tmp_path, name, CVAT)
        assert legend.names == ("background", "traffic light", "human")
        assert legend.values == CVAT_VALUES

    def test_roboflow_masks(self, tmp_path: Path) -> None:
        path = write(tmp_path, "train/_classes.csv", "Pixel Value, Class\n0, background\n1, cat\n2, dog\n")
        write(tmp_path, "valid/_classes.csv", "Pixel Value, Class\n0, background\n1, cat\n")
        legend = find_legend(tmp_path, [tmp_path / "train", tmp_path / "valid"])
        assert legend is not None
        assert (legend.path, legend.names, legend.values) == (path, NAMES, CATS)

    @pytest.mark.parametrize("name", ["class_dict.csv", "label_class_dict.csv"])
    def test_class_dict(self, tmp_path: Path, name: str) -> None:
        legend = legend_of(tmp_path, name, "name,r,g,b\r\ncat,255,0,0\r\nBackground,0,0,0\r\ndog,0,255,128\r\n")
        assert legend.values == COLORS
        assert legend.names == NAMES
        assert legend.as_indices().values == {0: "cat", 1: "background", 2: "dog"}

    def test_class_dict_of_the_drone_data_set(self, tmp_path: Path) -> None:
        content = "name, r, g, b\nunlabeled, 0, 0, 0\npaved-area, 128, 64, 128\ndirt, 130, 76, 0\n"
        legend = legend_of(tmp_path, "class_dict_seg.csv", content)
        assert legend.values == {"#000000": "unlabeled", "#804080": "paved-area", "#824c00": "dirt"}

    @pytest.mark.parametrize("name", ["label_colors.txt", "colors.txt"])
    def test_camvid(self, tmp_path: Path, name: str) -> None:
        legend = legend_of(
            tmp_path, name, "64 128 64\tAnimal\n192 0 128\tArchway\n0 0 0\t\tVoid\n128 0 192\tLane marking\n"
        )
        assert legend.names == ("Animal", "Archway", "Lane marking")
        assert legend.values == {
            "#408040": "Animal", "#c00080": "Archway", "#000000": "ignore", "#8000c0": "Lane marking",
        }  # fmt: skip
        assert legend.as_indices().values == {0: "Animal", 1: "Archway", 2: "ignore", 3: "Lane marking"}

    def test_camvid_of_cvat(self, tmp_path: Path) -> None:
        legend = legend_of(
            tmp_path, "label_colors.txt", "# color (RGB) label\n0 0 0 background\n255 0 0 cat\n0 255 128 dog\n"
        )
        assert legend.values == COLORS

    @pytest.mark.parametrize("name", ["classes.txt", "labels.txt", "class_names.txt", "obj.names", "codes.txt"])
    @pytest.mark.parametrize(
        "content",
        [
            "background\ncat\ndog",
            "0 background\n1 cat\n2 dog\n",
            "0: background\n1: cat\n2: dog",
            "0:background\n1:cat\n2:dog",
            "id, name\n0, background\n1, cat\n2, dog",
            "_background_\r\ncat\r\n\r\ndog\r\n",
            "\ufeffbackground\ncat\ndog\n",
        ],
    )
    def test_a_name_per_line(self, tmp_path: Path, name: str, content: str) -> None:
        legend = legend_of(tmp_path, name, content)
        assert legend.names == NAMES
        assert legend.values == CATS

    def test_labels_of_labelme_begin_with_what_is_ignored(self, tmp_path: Path) -> None:
        legend = legend_of(tmp_path, "labels.txt", "__ignore__\n_background_\ncat\ndog\n")
        assert legend.values == {255: "ignore", **CATS}
        assert legend.names == NAMES

    def test_codes_of_fastai(self, tmp_path: Path) -> None:
        legend = legend_of(tmp_path, "codes.txt", "Animal\nArchway\nCar\nVoid\nWall")
        assert legend.values == {0: "Animal", 1: "Archway", 2: "Car", 3: "ignore", 4: "Wall"}

    @pytest.mark.parametrize("names", ["[background, cat, dog]", "{0: background, 1: cat, 2: dog}"])
    def test_settings_of_yolo(self, tmp_path: Path, names: str) -> None:
        legend = legend_of(tmp_path, "data.yaml", f"train: ../train/images\nnc: 3\nnames: {names}\n")
        assert legend.values == CATS
        assert not legend.stated

    def test_names_of_yolo_are_text(self, tmp_path: Path) -> None:
        assert legend_of(tmp_path, "dataset.yaml", "names: [yes, no]").names == ("yes", "no")

    def test_settings_without_names_are_no_legend(self, tmp_path: Path) -> None:
        write(tmp_path, "data.yaml", "train: images\n")
        assert find_legend(tmp_path) is None

    def test_supervisely(self, tmp_path: Path) -> None:
        classes = [
            {"title": "cat", "shape": "bitmap", "color": "#FF0000", "geometry_config": {}, "id": 9987, "hotkey": ""},
            {"title": "dog", "shape": "polygon", "color": "#00FF80", "geometry_config": {}, "id": 9986, "hotkey": ""},
        ]
        write(tmp_path, "meta.json", json.dumps({"classes": classes, "tags": [], "projectType": "images"}))
        write(tmp_path, "obj_class_to_machine_color.json", '{"dog": [1, 1, 1], "cat": [2, 2, 2]}')
        legend = find_legend(tmp_path)
        assert legend is not None
        assert legend.values == {"#ff0000": "cat", "#00ff80": "dog"}
        assert legend.as_indices().values == {1: "dog", 2: "cat"}

    def test_mapillary(self, tmp_path: Path) -> None:
        labels = [
            {"color": [165, 42, 42], "instances": True, "readable": "Bird", "name": "animal--bird", "evaluate": True},
            {
                "color": [0, 0, 0],
                "instances": False,
                "readable": "Unlabeled",
                "name": "void--unlabeled",
                "evaluate": False,
            },
        ]
        legend = legend_of(tmp_path, "config.json", json.dumps({"version": 1.1, "mapping": "public", "labels": labels}))
        assert legend.values == {"#a52a2a": "Bird", "#000000": "Unlabeled"}
        assert legend.as_indices().values == {0: "Bird", 1: "Unlabeled"}

    @pytest.mark.parametrize("name", ["label_map.json", "classes.json", "id2label.json"])
    @pytest.mark.parametrize(
        "content",
        [
            {"0": "background", "1": "cat", "2": "dog"},
            {"background": 0, "cat": 1, "dog": 2},
            ["background", "cat", "dog"],
            [{"id": 0, "name": "background"}, {"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
            {"0": {"name": "background"}, "1": {"name": "cat"}, "2": {"name": "dog"}},
        ],
    )
    def test_json(self, tmp_path: Path, name: str, content: object) -> None:
        assert legend_of(tmp_path, name, json.dumps(content)).values == CATS

    @pytest.mark.parametrize(
        "content",
        [
            {"background": [0, 0, 0], "cat": [255, 0, 0], "dog": "#00FF80"},
            {"#000000": "background", "#FF0000": "cat", "#00ff80": "dog"},
        ],
    )
    def test_json_with_colors(self, tmp_path: Path, content: object) -> None:
        assert legend_of(tmp_path, "label_map.json", json.dumps(content)).values == COLORS


class TestPlaces:
    def test_folders_and_their_parents_up_to_the_root(self, tmp_path: Path) -> None:
        root = tmp_path / "root"
        folder = root / "train" / "masks"
        folder.mkdir(parents=True)
        write(tmp_path, "labelmap.txt", "outside:0,0,0::")
        assert find_legend(root, [folder]) is None
        path = write(root, "train/labelmap.txt", CVAT)
        assert find_legend(root) is None
        legend = find_legend(root, [folder, root / "missing"])
        assert legend is not None
        assert legend.path == path

    def test_hidden_files_and_folders_of_such_names_are_none(self, tmp_path: Path) -> None:
        write(tmp_path, "._class_dict.csv", b"\0\1")
        (tmp_path / "labelmap.txt").mkdir()
        assert find_legend(tmp_path) is None


class TestForms:
    def test_greys_are_values_of_masks_of_one_channel(self, tmp_path: Path) -> None:
        legend = legend_of(tmp_path, "class_dict.csv", "name,r,g,b\nbackground,0,0,0\nroad,255,255,255\n")
        greys = legend.as_greys()
        assert greys is not None
        assert greys.values == {0: "background", 255: "road"}
        assert legend_of(tmp_path, "class_dict.csv", "name,r,g,b\na,0,0,0\nb,255,255,0\n").as_greys() is None

    @pytest.mark.parametrize("name", ["ignore", "__ignore__", "_ignore_", "void", "Void", "VOID"])
    def test_names_of_unknown_ground_truth(self, tmp_path: Path, name: str) -> None:
        legend = legend_of(tmp_path, "label_map.txt", f"0 background\n1 cat\n255 {name}")
        assert legend.values == {0: "background", 1: "cat", 255: "ignore"}
        assert legend.names == ("background", "cat")

    def test_names_may_hold_numbers(self, tmp_path: Path) -> None:
        assert legend_of(tmp_path, "classes.txt", "road\n3 wheeler\nbus 2\n").names == ("road", "3 wheeler", "bus 2")
        assert legend_of(tmp_path, "classes.txt", "12:1,2,3::\na:4,5,6::").values == {"#010203": "12", "#040506": "a"}

    def test_a_legend_is_what_data_values_takes(self, tmp_path: Path) -> None:
        legend = legend_of(tmp_path, "labelmap.txt", CVAT)
        spec = DataSpec(tmp_path, classes=legend.names, values=legend.values)
        assert spec.values == CVAT_VALUES


class TestMistakes:
    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            (
                "labelmap.txt",
                "background:0,0,0::\ncat:0,0::\n",
                "line 2: {}; expected name:red,green,blue::; found 'cat:0,0::'; ",
            ),
            ("labelmap.txt", "", "{}; expected lines such as 'name:red,green,blue::'; found an empty file; "),
            ("label_colors.txt", "64 128 64\tAnimal\n256 0 0\tCar", "line 2: {}; expected red green blue name; "),
            (
                "_classes.csv",
                "filename, dog, cat\n",
                "line 1: {}; expected a header as name,r,g,b; found 'filename,dog,cat'; ",
            ),
            (
                "_classes.csv",
                "Pixel Value, Class\n0, background\nx, cat",
                "line 3: {}; expected a mask value in 0..65535; found 'x'; ",
            ),
            ("class_dict.csv", "name,r,g,b\ncat,1,2", "line 2: {}; expected 4 columns; found 3: 'cat,1,2'; "),
            ("class_dict.csv", "name,r,g,b\ncat,1,2,300", "line 2: {}; expected a colour as [red, green, blue]"),
            ("class_names.txt", "cat\ndog\ncat", "line 3: {}; expected each name once; found cat, as in line 1; "),
            (
                "codes.txt",
                "images/1.png\nimages/2.png",
                "line 1: {}; expected the name of a class; found 'images/1.png'; ",
            ),
            ("data.yaml", "names: 3", "names: {}; expected a list of names; found '3'; "),
            (
                "id2label.json",
                '{"0": 1.5}',
                "'0': {}; expected a colour as [red, green, blue] or '#rrggbb'; found 1.5; ",
            ),
            (
                "label_map.json",
                '[{"name": "a", "id": 1}, {"name": "b"}]',
                "[1]: {}; expected a colour or value as in [0]",
            ),
        ],
    )
    def test_a_file_with_the_name_of_a_legend_is_one(
        self, tmp_path: Path, name: str, content: str, message: str
    ) -> None:
        path = write(tmp_path, name, content)
        what = "the file does not say which class is which, as its name promises"
        with pytest.raises(DataError) as caught:
            find_legend(tmp_path)
        assert str(caught.value).startswith(f"{path}: " + message.format(what))
        assert caught.value.exit_code == 1

    def test_the_remedy_for_another_file_of_that_name(self, tmp_path: Path) -> None:
        path = write(tmp_path, "labelmap.txt", "a list of maps")
        with pytest.raises(DataError, match=r"correct it, or rename it if it is about something else$"):
            find_legend(tmp_path)
        path.rename(tmp_path / "maps.txt")
        assert find_legend(tmp_path) is None

    def test_malformed_json_is_told_as_such(self, tmp_path: Path) -> None:
        write(tmp_path, "id2label.json", "{")
        with pytest.raises(DataError, match=r"id2label\.json: malformed JSON"):
            find_legend(tmp_path)

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("labels.txt", "1\n0\n1\n"),
            ("labels.txt", "a.png 1\nb.png 0"),
            ("classes.txt", ""),
            ("classes.txt", "cat\ncat"),
            ("classes.txt", "0 cat\nno number\n2 dog"),
            ("labels.txt", "0 0.5 0.5 0.1 0.1"),
            ("colors.txt", "red\ngreen"),
            ("config.json", '{"model": 1}'),
            ("config.json", "{"),
            ("meta.json", '{"classes": [], "tags": []}'),
            ("meta.json", '{"labels": [3]}'),
            ("labels.txt", b"\xff\xfe\x00"),
        ],
    )
    def test_a_file_with_a_common_name_may_be_about_something_else(
        self, tmp_path: Path, name: str, content: str | bytes
    ) -> None:
        write(tmp_path, name, content)
        assert find_legend(tmp_path) is None

    def test_two_classes_with_the_same_color(self, tmp_path: Path) -> None:
        path = write(tmp_path, "labelmap.txt", "# comment\nbackground:0,0,0::\ncat:9,9,9::\ndog:9,9,9::\n")
        with pytest.raises(DataError) as caught:
            find_legend(tmp_path)
        assert str(caught.value) == (
            f"{path}: line 4: two classes have the same colour; expected one of its own for each class; found #090909 "
            "for dog, and in line 3 for cat; correct the file, or say what the values mean with data.classes and "
            "data.values"
        )

    def test_two_classes_with_the_same_value(self, tmp_path: Path) -> None:
        write(tmp_path, "classes.txt", "0 background\n0 cat")
        with pytest.raises(
            DataError, match=r"line 2: two classes have the same value; .* 0 for cat, and in line 1 for"
        ):
            find_legend(tmp_path)

    def test_a_class_listed_twice_is_one(self, tmp_path: Path) -> None:
        assert legend_of(tmp_path, "labelmap.txt", CVAT + "background:0,0,0::\n").values == CVAT_VALUES


class TestTwoLegends:
    def test_that_contradict_each_other_on_a_value(self, tmp_path: Path) -> None:
        for split, cat in (("train", "cat"), ("valid", "lion")):
            write(tmp_path, f"{split}/_classes.csv", f"Pixel Value, Class\n0, background\n1, {cat}\n")
        with pytest.raises(DataError) as caught:
            find_legend(tmp_path, [tmp_path / "train", tmp_path / "valid"])
        first, second = (tmp_path / split / "_classes.csv" for split in ("train", "valid"))
        assert str(caught.value) == (
            f"{first}: contradicts {second} on the classes; expected the same classes in both; found 1: cat in one, "
            "1: lion in the other; say what the values mean with data.classes: [background, cat] and data.values: "
            "{0: background, 1: cat}, if _classes.csv is right"
        )

    def test_that_list_the_names_in_different_orders(self, tmp_path: Path) -> None:
        write(tmp_path, "labelmap.txt", "background:0,0,0::\ncat:9,9,9::\ndog:8,8,8::\n")
        write(tmp_path, "classes.txt", "dog\ncat\n")
        with pytest.raises(DataError, match=r"found cat, dog and dog, cat; "):
            find_legend(tmp_path)

    def test_what_is_stated_goes_before_a_list_of_names(self, tmp_path: Path) -> None:
        write(tmp_path, "classes.txt", "cat\ndog\n")
        legend = legend_of(tmp_path, "label_map.txt", "0 background\n1 cat\n2 dog\n")
        assert legend.values == CATS

    def test_colors_take_the_indices_of_the_other(self, tmp_path: Path) -> None:
        write(tmp_path, "_classes.csv", "Pixel Value, Class\n0, background\n1, cat\n2, dog\n")
        legend = legend_of(tmp_path, "class_dict.csv", "name,r,g,b\ndog,0,255,128\ncat,255,0,0\n")
        assert legend.values == {"#ff0000": "cat", "#00ff80": "dog"}
        assert legend.as_indices().values == CATS


FILES = (
    "labelmap.txt",
    "label_colors.txt",
    "colors.txt",
    "_classes.csv",
    "class_dict.csv",
    "class_names.txt",
    "classes.txt",
    "data.yaml",
    "meta.json",
    "label_map.json",
    "obj_class_to_machine_color.json",
)
PIECES = (
    "background",
    "cat",
    "0",
    "1",
    "255",
    "65536",
    "#ff0000",
    "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    "name",
    "r",
    "g",
    "b",
    ",",
    ":",
    " ",
    "\t",
    "\n",
    "\r\n",
    '"',
    "{",
    "}",
    "[",
    "]",
    "names",
    "classes",
    "title",
    "color",
    "- ",
    "&a ",
    "*a",
    "!!int ",
    "__ignore__",
    "\x00",
    "\ufeff",
    "Pixel Value, Class\n",
    "name,r,g,b\n",
    ";",
)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    content=st.binary(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=24).map(lambda p: "".join(p).encode())
)
def test_any_bytes_are_a_legend_or_none_or_an_error_of_the_data(tmp_path: Path, name: str, content: bytes) -> None:
    write(tmp_path, name, content)
    try:
        legend = find_legend(tmp_path)
    except DataError:
        return
    if legend is not None:
        for form in filter(None, (legend, legend.as_indices(), legend.as_greys())):
            assert set(form.values.values()) <= {*legend.names, "ignore"}
        if len(legend.names) > 1:
            LabelMap(legend.names, legend.values)
