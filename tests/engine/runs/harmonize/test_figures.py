"""The judgement of a harmonization, on small made-up heads that were scanned at two sites."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tile_engine.engine.pipeline.documents import Part
from tile_engine.engine.runs.harmonize.combat_figures import combat_figures
from tile_engine.engine.runs.harmonize.effort import Effort
from tile_engine.engine.runs.harmonize.figures import judgement
from tile_engine.engine.runs.harmonize.judgement import Judgement
from tile_engine.engine.runs.harmonize.scans import Comparable, Head, Scan, Version, comparable
from tile_engine.engine.runs.harmonize.versions import baseline_versions
from tile_engine.errors import SettingsError
from tile_engine.stores.frame import Frame

SHAPE, PEOPLE, FITTED = (18, 20, 16), 12, 5
QUICK = Effort(network_steps=0, folds=3)


def head(person: int, site: str) -> Head:
    """A person's head: A is blurred, noisier and has another contrast than B."""
    texture = gaussian_filter(np.random.default_rng(person).normal(size=SHAPE), 1.0)
    mask = np.zeros(SHAPE, bool)
    mask[2:-2, 2:-2, 2:-2] = True
    values = 1 + texture.clip(-0.9, 2)
    if site == "A":
        noise = np.random.default_rng(1000 + person).normal(0, 0.05, SHAPE)
        values = 0.5 * gaussian_filter(values, 0.8) ** 0.7 + noise
    brain = mask & (np.indices(SHAPE)[1] > 6)
    return Head((values * mask).astype(np.float32), mask, brain)


def scan(person: int, site: str, **changed: object) -> Scan:
    frame = Frame(("z", "y", "x"), SHAPE, (2000.0,) * 3)
    about = {"age": 20.0 + 3 * person, "height": 170.0}
    made = Scan(f"{person}-{site}", f"p{person}", site, person < FITTED, frame, lambda: head(person, site))
    return replace(made, covariates=about, **changed)  # type: ignore[arg-type]


def cohort(people: Sequence[int] = range(PEOPLE)) -> Comparable:
    return comparable([scan(p, site) for p in people for site in "AB"], ["A"], "B")


def oracle(scans: Comparable) -> Version:
    """Nearly the truth."""
    return lambda row, seen: head(int(scans.subjects[row][1:]), "B").values + np.float32(0.01) * seen.mask


@pytest.fixture(scope="module")
def judged() -> Judgement:
    scans = cohort()
    return judgement(scans, {**baseline_versions(scans), "oracle": oracle(scans)}, "oracle", effort=QUICK)


def test_people_who_were_fitted_are_in_no_score(judged: Judgement) -> None:
    assert (judged.subjects_fitted, judged.subjects_scored, judged.subjects_paired) == (5, 7, 7)
    scored = {f"p{person}" for person in range(FITTED, PEOPLE)}
    assert all(set(spread.subjects) == scored for m in judged.methods.values() for spread in m.pairs.values())
    assert not judged.cautions


def test_the_truth_is_better_than_every_baseline_on_pairs(judged: Judgement) -> None:
    assert set(judged.methods["oracle"].pairs) == {"SSIM head", "PSNR head", "SSIM brain", "PSNR brain"}
    for figure, pairings in judged.comparisons.items():
        assert {pairing.other for pairing in pairings} == set(judged.methods) - {"oracle"}
        assert all(pairing.better == 7 and pairing.p == pytest.approx(2 / 2**7) for pairing in pairings), figure
    identity = judged.methods["identity"]
    assert (judged.methods["oracle"].pairs["SSIM head"].mean or 0) > 0.99 > (identity.pairs["SSIM head"].mean or 1)


def test_a_classifier_of_intensities_is_deceived_by_matched_histograms_and_one_of_texture_is_not(
    judged: Judgement,
) -> None:
    identity, matched = judged.methods["identity"].classifiers, judged.methods["mean histogram"].classifiers
    assert identity["intensities"].accuracy == identity["texture"].accuracy == matched["texture"].accuracy == 1
    assert (matched["intensities"].accuracy or 1) < 0.9
    assert identity["texture"].scans == 14 and identity["texture"].chance == 0.5
    assert set(identity) == {"intensities", "texture"}, "no network was asked for"


def test_embeddings_come_together_and_people_stay_themselves(judged: Judgement) -> None:
    identity, truth = judged.methods["identity"], judged.methods["oracle"]
    assert (identity.mmd2 or 0) > 5 * abs(truth.mmd2 or 9)
    assert identity.rank_values == identity.rank_embeddings == identity.class_overlap == 1
    assert truth.rank_values == pytest.approx(judged.at_target.rank_values)
    assert truth.class_overlap == pytest.approx(judged.at_target.class_overlap, abs=0.01)
    assert truth.contrast == pytest.approx(judged.at_target.contrast, rel=0.05)
    assert judged.tissue_inside == "brain"


def test_combat_is_judged_beside_images_and_names_what_it_kept(judged: Judgement) -> None:
    combat = judged.combat
    assert combat.before is not None and combat.after is not None and not combat.reason
    assert combat.before.accuracy == 1 and (combat.mmd2_before or 0) > (combat.mmd2_after or 9)
    assert combat.covariates == ("age",)
    assert judged.left_out == ("covariate height of ComBat: it is 170 for all scans",)


def test_a_judgement_is_a_document(judged: Judgement) -> None:
    assert isinstance(judged, Part) and Judgement.model_validate_json(judged.model_dump_json()) == judged


def test_each_scan_is_read_a_fixed_number_of_times_and_one_is_held() -> None:
    reads: dict[str, int] = {}

    def counted(one: Scan) -> Callable[[], Head]:
        def read() -> Head:
            reads[one.id] = reads.get(one.id, 0) + 1
            return one.read()

        return read

    plain = cohort().scans
    scans = comparable([replace(one, read=counted(one)) for one in plain], ["A"], "B")
    judgement(scans, {"oracle": oracle(scans)}, "oracle", effort=QUICK)
    assert {reads[f"{p}-A"] for p in range(PEOPLE)} == {1}
    assert {reads[f"{p}-B"] for p in range(PEOPLE)} == {2}  # for itself; for the data range, or as the truth


def test_without_travelling_people_there_is_no_truth_and_the_rest_is_judged() -> None:
    scans = comparable([scan(p, "AB"[p % 2], fitted=False) for p in range(PEOPLE)], ["A"], "B")
    found = judgement(scans, {"oracle": oracle(scans)}, "oracle", effort=QUICK)
    assert found.subjects_paired == 0 and not found.comparisons and not found.methods["oracle"].pairs
    assert len(found.cautions) == 2 and "no truth" in found.cautions[0] and "components" in found.cautions[1]
    assert found.methods["oracle"].classifiers["texture"].scans == PEOPLE
    assert found.at_target.rank_values is None


@pytest.mark.parametrize(("people", "reason"), [([0], "folds by subject"), ([5, 6], "the smallest with 1")])
def test_too_few_people_leave_figures_empty_and_say_why(people: list[int], reason: str) -> None:
    scans = cohort(people)
    found = judgement(scans, {"oracle": oracle(scans)}, "oracle", effort=QUICK)
    assert found.combat.before is None and reason in found.combat.reason
    assert found.methods["oracle"].rank_values is None and found.at_target.rank_values is None


def test_figures_of_fitted_people_are_marked() -> None:
    found = comparable([scan(p, site, fitted=True) for p in range(4) for site in "AB"], ["A"], "B")
    assert found.scored.all() and "fitted on" in found.cautions[0]


def test_a_person_who_was_fitted_at_one_site_is_kept_from_the_scores_at_the_other() -> None:
    people = [scan(p, site, fitted=p == 0 and site == "A") for p in range(4) for site in "AB"]
    found = comparable(people, ["A"], "B")
    assert found.subjects[~found.scored].tolist() == ["p0", "p0"]


def test_scans_of_other_sites_take_no_part_and_a_site_without_scans_is_refused() -> None:
    scans = [scan(0, "A"), scan(0, "B"), replace(scan(0, "A"), site="C", id="0-C")]
    assert [one.id for one in comparable(scans, ["A"], "B").scans] == ["0-A", "0-B"]
    with pytest.raises(SettingsError, match="no scan is of the site D; sites of the list are: A, B, C"):
        comparable(scans, ["A"], "D")


def test_a_pair_that_cannot_be_registered_is_left_out_and_named() -> None:
    frame = Frame(("z", "y", "x"), SHAPE, (2000.0,) * 3, (5e6, 0.0, 0.0))

    def nothing() -> Head:
        return replace(head(5, "B"), values=np.ones(SHAPE, np.float32))

    people = [scan(p, site) for p in range(4, PEOPLE) for site in "AB" if (p, site) != (5, "B")]
    scans = comparable([*people, scan(5, "B", frame=frame, read=nothing)], ["A"], "B")
    found = judgement(scans, {"oracle": oracle(scans)}, "oracle", effort=QUICK)
    assert found.subjects_paired == 6 and "p5" not in found.methods["oracle"].pairs["SSIM head"].subjects
    assert found.left_out[0].startswith("the pair of 5-A and 5-B: the volume cannot be aligned to 5-A")


def test_a_version_of_another_shape_is_an_error() -> None:
    scans = cohort()
    with pytest.raises(ValueError, match="made"):
        judgement(scans, {"half": lambda row, seen: seen.values[::2]}, "half", effort=QUICK)


def test_combat_is_left_out_with_a_reason_where_a_site_is_that_of_one_person() -> None:
    """Without that person a fold cannot be fitted to the site."""
    scans = [scan(p, site) for p in range(PEOPLE) for site in "AB"]
    scans += [scan(99, "C", id=f"99-C{i}", fitted=False) for i in range(3)]
    some = comparable(scans, ["A", "C"], "B")
    embeddings = np.random.default_rng(0).normal(size=(len(some.scans), 6))
    figures, _ = combat_figures(some, embeddings)
    assert figures.before is None and figures.reason == "a fold leaves no scan of C to fit ComBat on"
