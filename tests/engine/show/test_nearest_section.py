"""The report's section on nearest clusters: a row a cluster, empty cells where there are no others."""

from types import SimpleNamespace

from tile_engine.engine.show.nearest_section import nearest_section


def test_each_cluster_has_its_nearest_ones_by_name():
    near = [SimpleNamespace(name="gland", distance=1.234), SimpleNamespace(name="fat", distance=12.0)]
    section = nearest_section({1: near, 2: near[:1]}, legend=[(1, "a", 0.5), (2, "b", 0.4), (3, "merged", 0.0)])
    (table,) = section.tables
    assert table.rows == (
        ("a", "gland", "1.23", "fat", "12"),
        ("b", "gland", "1.23", None, None),
        ("merged", None, None, None, None),
    )
    assert [column.name for column in table.columns][1:] == ["Nearest", "Distance", "Second nearest", "Distance"]
