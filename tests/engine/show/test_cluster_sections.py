"""What the report says of clusters."""

from tile_engine.engine.show.cluster_sections import k_section

RANKS = {k: (float(k), 0.1) for k in (2, 3, 4)}
SCORES = [
    {"k": k, "seed": s, "index": index, "value": value}
    for s in (0, 1)
    for index, best in (("silhouette", 3), ("dunn", 9))
    for k in (2, 3, 9)
    for value in [1.0 + s if k == best else 0.1]
]


def test_the_recommended_k_is_set_off():
    table = k_section(SCORES, ranks=RANKS, recommended=3).tables[0]
    assert [table.rows[i][0] for i in table.marked] == [3]
    assert "1.5 ± 0.71" in table.rows[1]
    assert (
        "was set" in k_section([row for row in SCORES if row["k"] == 3], ranks={3: (1.0, 0.0)}, recommended=3).text[0]
    )
