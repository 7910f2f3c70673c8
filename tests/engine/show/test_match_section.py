"""The report's section on an old run: what corresponds, what does not."""

from tile_engine.engine.show.match_section import MatchRow, MatchSummary, match_section


def test_clusters_with_and_without_a_counterpart_and_those_not_found_again():
    summary = MatchSummary("/old", slides=3, tiles=12345, level=4, same=0.875, missing=("fat", "cluster 7"))
    section = match_section(summary, [MatchRow("gland", 0.9, 0.4), MatchRow("cluster 8")])
    assert "/old" in section.text[0] and "12,345 tiles of 3 images" in section.text[0]
    assert "At 4 clusters 87.5 % have the same number in both" in section.text[0]
    assert section.text[1] == "Not found again: fat, cluster 7. Their numbers are not used."
    assert section.tables[0].rows == (("gland", 0.9, 0.4), ("cluster 8", "no counterpart", None))
    apart = match_section(MatchSummary("/old", 1, 1, 2, 1.0, unseen=("pen",), others=("a.svs",)), []).text
    assert "Not on these images, so not compared: pen." in apart[1] and apart[2].endswith("size or content: a.svs.")
    assert len(match_section(MatchSummary("/old", 1, 1, 2, 1.0), []).text) == 1
