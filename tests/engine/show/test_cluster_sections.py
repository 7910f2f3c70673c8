"""What the report says of clusters."""

from types import SimpleNamespace

import numpy as np

from tile_engine.engine.show.cluster_sections import by_slide_section, k_section

KS = (2, 3, 9)
COMEBACKS = [
    SimpleNamespace(clusters=k, rand=0.95 if k == 3 else 0.5, chance=0.31, jaccard=(0.9, 0.62), passes=k == 3)
    for k in KS
]
SCORES = [
    {"k": k, "seed": s, "index": index, "value": value}
    for s in (0, 1)
    for index, best in (("silhouette", 3), ("dunn", 9))
    for k in KS
    for value in [1.0 + s if k == best else 0.1]
]


def test_each_k_has_its_reproducibility_and_indices_and_the_shown_one_is_set_off():
    section = k_section(SCORES, comebacks=COMEBACKS, text=("why",), shown=9)
    table = section.tables[0]
    assert [table.rows[i][0] for i in table.marked] == [9]
    assert table.rows[1][:5] == (3, "0.95", "0.31", "0.62", "yes") and [row[4] for row in table.rows] == [
        "no",
        "yes",
        "no",
    ]
    assert "1.5 ± 0.71" in table.rows[1]
    assert section.text[0] == "why"


def test_seeds_that_agree_have_no_spread():
    rows = [{"k": 3, "seed": s, "index": "dunn", "value": 0.01142 + s * 1e-18} for s in (0, 1)]
    assert "0.01142 ± 0" in k_section(rows, comebacks=COMEBACKS[1:2], text=(), shown=3).tables[0].rows[0]


def test_an_index_that_only_rises_or_falls_is_said_to_tell_nothing():
    rising = [{"k": k, "seed": 0, "index": "xie_beni", "value": float(k)} for k in KS]
    assert k_section(SCORES[:1], comebacks=COMEBACKS, text=(), shown=3).text == ()
    (said,) = k_section([*SCORES, *rising], comebacks=COMEBACKS, text=(), shown=3).text
    assert (
        said.startswith("Dunn, Xie–Beni rise or fall steadily")
        and "nothing about K" in said
        and "Silhouette" not in said
    )


def test_one_k_without_indices_is_a_table_too():
    (table,) = k_section([], comebacks=COMEBACKS[1:2], text=("was set",), shown=3).tables
    assert len(table.rows) == 1 and table.marked == {0}


def test_the_silhouette_in_the_plane_is_said_to_be_of_other_points():
    rows = [{"k": k, "seed": 0, "index": "silhouette_umap", "value": 0.5} for k in KS[:2]]
    (table,) = k_section([*SCORES, *rows], comebacks=COMEBACKS, text=(), shown=3).tables
    assert (
        "Silhouette, UMAP ↑" in [column.name for column in table.columns] and "over tiles in the plane" in table.caption
    )
    assert "UMAP" not in k_section(SCORES, comebacks=COMEBACKS, text=(), shown=3).tables[0].caption


def test_a_slide_without_tiles_has_no_share_of_a_cluster_and_glass_stands_beside_its_cluster():
    counts, legend = np.array([[3, 0], [1, 0]]), [(1, "cluster 1", 0.75), (2, "cluster 2", 0.25)]
    (table,) = by_slide_section(counts, names=["a", "empty"], legend=legend, glass={2: 0.71}).tables
    assert [column.name for column in table.columns] == ["Cluster", "Tiles", "As bright as glass", "a", "empty"]
    assert table.rows == (("cluster 1", 3, None, 0.75, None), ("cluster 2", 1, 0.71, 0.25, None))
    (plain,) = by_slide_section(counts, names=["a", "empty"], legend=legend).tables
    assert plain.rows[0] == ("cluster 1", 3, 0.75, None)
