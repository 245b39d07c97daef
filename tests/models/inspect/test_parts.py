"""A network's parts: what is in each, how they are joined, where they stand in the picture, and the picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kseg.errors import OutputError, UsageError
from kseg.images import read_image
from kseg.models import ENCODERS, NetworkSpec, build_model
from kseg.models.inspect.diagram import draw_network, place, short_count
from kseg.models.inspect.macs import total_macs
from kseg.models.inspect.parts import Part, Summary, summarize


def summary_of(size: tuple[int, int] = (64, 96), **settings: Any) -> Summary:
    return summarize(NetworkSpec(size=size, channels=1, **settings))


@pytest.mark.parametrize("arch", ["unet", "unetplusplus", "deeplabv3plus"])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_parts_are_the_whole_and_the_encoders_features_those_of_the_table(arch: str, encoder: str) -> None:
    spec = NetworkSpec(size=(64, 96), channels=1, arch=arch, encoder=encoder)
    model, summary = build_model(spec), summarize(spec)
    assert (summary.name, summary.size) == (f"{arch}_{encoder}", (64, 96))
    assert summary.parameters == model.count_params()
    assert summary.macs == total_macs(model)
    channels = {part.stride: part.shape[2] for part in summary.parts if part.kind == "encoder"}
    table = dict(ENCODERS[encoder].pyramid) or {2**level: width for level, width in enumerate(spec.resolved_widths)}
    if arch == "deeplabv3plus" and encoder.startswith("vgg"):
        del table[32]  # its last pooling belongs to the bottleneck
    assert channels == table
    for part in summary.parts:
        assert part.shape[:2] == (64 // part.stride, 96 // part.stride)


def test_parts_of_the_smallest_image_are_the_same() -> None:
    """At 32 × 32 a padded map can have the size of features that are two times finer; parts must not go by size."""
    small, large = (summary_of((side, side), encoder="mit_b0", arch="deeplabv3plus") for side in (32, 256))
    assert [(p.name, p.stride, p.parameters) for p in small.parts] == [
        (p.name, p.stride, p.parameters) for p in large.parts
    ]


def test_a_plain_u_net_by_hand() -> None:
    parts = {part.name: part for part in summary_of(encoder="plain", widths=(4, 8), norm="batch").parts}
    assert list(parts) == [
        "image", "normalization", "encoder 1", "encoder 2", "bottleneck", "decoder0", "decoder1", "head",
    ]  # fmt: skip
    first = parts["encoder 1"]
    assert first.parameters == 3 * 3 * 3 * 4 + 3 * 3 * 4 * 4 + 2 * 4 * 4
    assert first.macs == 64 * 96 * (3 * 3 * 3 * 4 + 3 * 3 * 4 * 4)
    assert parts["bottleneck"].shape == (16, 24, 16)
    assert set(parts["decoder0"].sources) == {"bottleneck", "encoder 2"}
    assert parts["head"].sources == ("decoder1",)


@pytest.mark.parametrize(
    ("settings", "deepest"),
    [
        ({"encoder": "plain", "widths": (4, 8), "bottleneck": "none", "dropout": 0.5}, "encoder 4"),
        ({"encoder": "mobilenetv2", "dropout": 0.5}, "encoder 32"),
        ({"encoder": "plain", "widths": (4, 8), "bottleneck": "attention"}, "bottleneck"),
    ],
)
def test_a_dropout_or_a_pooling_is_no_part_of_its_own(settings: dict[str, Any], deepest: str) -> None:
    parts = summary_of(**settings).parts
    coarsest = max(part.stride for part in parts)
    assert [part.name for part in parts if part.stride == coarsest] == [deepest]


def test_u_net_plus_plus_joins_all_earlier_nodes_of_a_stride() -> None:
    parts = {p.name: p for p in summary_of(encoder="plain", widths=(4, 4, 8), arch="unetplusplus").parts}
    assert set(parts["node1_3"].sources) == {"encoder 1", "node1_1", "node1_2", "node2_2"}


@pytest.mark.parametrize("arch", ["unet", "unetplusplus", "deeplabv3plus"])
@pytest.mark.parametrize("encoder", ["plain", "mobilenetv2", "mit_b0"])
def test_no_two_boxes_share_a_place_and_every_arrow_points_right(arch: str, encoder: str) -> None:
    summary = summary_of(arch=arch, encoder=encoder)
    places = place(summary)
    assert len(set(places.values())) == len(places) == len(summary.parts) - 1
    for part in summary.parts:
        for source in part.sources if part.name in places else ():
            assert places["image" if source == "normalization" else source][0] < places[part.name][0]


@pytest.fixture(scope="module")
def small() -> Summary:
    return summary_of(encoder="plain", widths=(4, 8))


def test_a_picture_has_a_box_a_part(small: Summary, tmp_path: Path) -> None:
    draw_network(tmp_path / "x.svg", small)
    draw_network(tmp_path / "x.png", small)
    assert "<svg" in (tmp_path / "x.svg").read_text()
    picture = read_image(tmp_path / "x.png").reshape(-1, 3)
    assert (picture == (255, 255, 255)).all(1).mean() > 0.7
    # The encoder's, the bottleneck's and the decoder's fill
    areas = [(picture == fill).all(1).sum() for fill in ((219, 234, 254), (237, 233, 254), (220, 252, 231))]
    assert areas[0] == pytest.approx(2 * areas[1], rel=0.1)
    assert areas[2] == pytest.approx(areas[0], rel=0.1)


def test_pictures_that_cannot_be_written(small: Summary, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"x\.gif: not a kind of picture that kseg draws; expected \.png or \.svg"):
        draw_network(tmp_path / "x.gif", small)
    with pytest.raises(OutputError, match="cannot write the file"):
        draw_network(tmp_path / "nowhere" / "x.png", small)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1000, "1.00 k"), (999_499, "999 k"), (999_600, "1.00 M"), (6_977_473, "6.98 M"),
     (78_795_136, "78.8 M"), (299_494_272, "299 M"), (15_346_630_656, "15.3 G")],
)  # fmt: skip
def test_short_counts_have_three_digits(number: int, text: str) -> None:
    assert short_count(number) == text


def test_parts_are_plain_data(small: Summary) -> None:
    assert all(
        isinstance(part, Part) and type(part.macs) is int and type(part.parameters) is int for part in small.parts
    )
