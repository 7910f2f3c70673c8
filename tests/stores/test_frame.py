"""Laws of boxes and frames, in 2-D and 3-D."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tile_engine.stores.frame import Box, Frame
from tile_engine.stores.ngff import frames_of, multiscales

axes = st.sampled_from([("y", "x"), ("z", "y", "x")])
lengths = st.integers(1, 10**7).map(lambda n: n / 1000)
offsets = st.integers(-(10**9), 10**9).map(lambda n: n / 10**6)


@st.composite
def frames(draw):
    names = draw(axes)
    n = len(names)
    return Frame(
        names,
        tuple(draw(st.lists(st.integers(1, 500), min_size=n, max_size=n))),
        tuple(draw(st.lists(lengths, min_size=n, max_size=n))),
        tuple(draw(st.lists(offsets, min_size=n, max_size=n))),
    )


@settings(deadline=None, max_examples=40)
@given(frames(), st.data())
def test_cutting_a_box_partitions_it(frame, data):
    small = Frame(frame.axes, tuple(min(n, 9) for n in frame.shape), frame.spacing, frame.origin)
    shape = data.draw(st.tuples(*[st.integers(1, 7)] * len(frame.axes)))
    pieces = list(small.box.cut(shape))
    assert sum(p.size for p in pieces) == small.box.size
    assert all((a & b).size == 0 for i, a in enumerate(pieces) for b in pieces[:i])


@given(frames(), st.data())
def test_coarsening_keeps_the_origin_and_covers_the_frame(frame, data):
    factor = data.draw(st.tuples(*[st.integers(1, 9)] * len(frame.axes)))
    coarse = frame.coarsen(factor)
    assert coarse.origin == frame.origin
    for n, m, f in zip(frame.shape, coarse.shape, factor, strict=True):
        assert (m - 1) * f < n <= m * f


@given(frames(), st.integers(1, 4), st.booleans(), st.data())
def test_ngff_metadata_gives_a_frame_back_exactly(frame, levels, channels, data):
    pyramid = [frame]
    for _ in range(levels - 1):
        pyramid.append(pyramid[-1].coarsen((2,) * len(frame.axes)))
    reference = data.draw(st.none() | st.tuples(*[lengths] * len(frame.axes)))
    attributes = {
        "ome": {"version": "0.5", "multiscales": multiscales(pyramid, name="x", channels=channels, reference=reference)}
    }
    shapes = [((3,) if channels else ()) + f.shape for f in pyramid]
    names, back = frames_of(attributes, shapes, reference)
    assert names == (["c"] if channels else []) + list(frame.axes)
    assert list(back) == pyramid


def test_a_halving_lies_half_a_pixel_further_in_ngff():
    frame = Frame(("y", "x"), (8, 8), (0.5, 0.5))
    datasets = multiscales([frame, frame.coarsen((2, 2)), frame.coarsen((4, 4))], name="x")[0]["datasets"]
    assert [d["coordinateTransformations"][1]["translation"] for d in datasets] == [
        [0.0, 0.0, 0.0],
        [0.0, 0.25, 0.25],
        [0.0, 0.75, 0.75],
    ]


def test_units_and_outer_scales_are_honoured_and_044_is_understood():
    attributes = {
        "multiscales": [
            {
                "axes": [{"name": "y", "type": "space", "unit": "millimeter"}, {"name": "x", "type": "space"}],
                "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [0.001, 0.5]}]}],
                "coordinateTransformations": [{"type": "scale", "scale": [2, 2]}],
            }
        ]
    }
    _, (frame,) = frames_of(attributes, [(4, 6)])
    assert frame.spacing == (2.0, 1.0)


def test_a_box_that_ends_before_it_starts_is_refused():
    import pytest

    with pytest.raises(ValueError, match="cannot end before it starts"):
        Box((3,), (2,))
