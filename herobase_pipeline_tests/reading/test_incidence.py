"""Cumulative incidence for a notebook: the vector of the reference, any grouping, and the same as the table."""

import datetime as dt

import duckdb
import pandas as pd
import pytest

from herobase_pipeline.reading.incidence import cumulative_incidence

DAY = dt.date(2026, 3, 2)
VECTOR = ((0, 1), (0, 2), (1, 2), (1, 1), (2, 0), (2, 2), (3, 1), (3, 2), (5, 0), (7, 1))  # domain.md, section 4
CLOSURES = {0: "NotSet", 1: "Success", 2: "NotInterested"}


def leads(lives: tuple[tuple[int, int], ...], **columns: object) -> pd.DataFrame:
    """Rows of ``leads`` with these ages and causes."""
    return pd.DataFrame(
        {
            "cohort_date": DAY,
            "closed_date": [DAY + dt.timedelta(days=age) if cause else None for age, cause in lives],
            "closure": [CLOSURES[cause] for _, cause in lives],
            "known_through": [DAY + dt.timedelta(days=30 if cause else age) for age, cause in lives],
            **columns,
        }
    )


def test_t36_the_vector_of_the_reference():
    curve = cumulative_incidence(leads(VECTOR), least_at_risk=1).set_index("age_days")
    assert curve.loc[3, ["success_incidence", "still_open"]].tolist() == pytest.approx([0.325, 0.25])
    assert curve.loc[7, ["success_incidence", "other_incidence", "still_open"]].tolist() == pytest.approx(
        [0.575, 0.425, 0]
    )
    assert curve.index.tolist() == list(range(8))
    naive = sum(cause == 1 for _, cause in VECTOR) / len(VECTOR)
    assert naive == 0.4
    assert (curve.success_ci_low <= curve.success_incidence).all()
    assert (curve.success_incidence <= curve.success_ci_high).all()


def test_a_curve_ends_where_few_are_at_risk():
    assert cumulative_incidence(leads(VECTOR)).age_days.tolist() == [0]
    assert cumulative_incidence(leads(VECTOR), least_at_risk=4).age_days.tolist() == [0, 1, 2, 3]


def test_a_curve_for_each_group_also_for_leads_without_one():
    groups = [None if age % 2 else 'team "A"' for age, _ in VECTOR]
    frame = leads(VECTOR, **{'the "team"': groups})
    curves = cumulative_incidence(frame, ['the "team"'], least_at_risk=1)
    assert set(curves['the "team"'].dropna()) == {'team "A"'}
    for group, of_group in curves.groupby('the "team"', dropna=False):
        alone = frame[frame['the "team"'].isna() if pd.isna(group) else frame['the "team"'] == group]
        expected = cumulative_incidence(alone, least_at_risk=1)
        pd.testing.assert_frame_equal(of_group.drop(columns='the "team"').reset_index(drop=True), expected)


def test_leads_not_dialled_or_not_known_are_left_out():
    unknown = leads(VECTOR).assign(known_through=None)
    undialled = leads(VECTOR).assign(cohort_date=None)
    assert cumulative_incidence(pd.concat([unknown, undialled])).empty


def test_a_missing_column_is_named():
    with pytest.raises(KeyError, match=r"known_through of the table leads"):
        cumulative_incidence(leads(VECTOR).drop(columns="known_through"))


def test_over_the_table_leads_it_gives_what_the_table_gives(centre):
    here = centre(calls_per_day=300)
    here.load("calls,simple_leads", "2026-11-09", "2026-11-19")
    here.load("leads,cumulative_incidence")
    with duckdb.connect(here.lake.catalogue, read_only=True) as con:
        frame = con.sql(
            "SELECT *, date_trunc('week', cohort_date)::DATE AS cohort_week, first_dial_campaign_id AS campaign FROM leads"
        ).df()
        table = con.sql(
            "SELECT * EXCLUDE (campaign_code, campaign_name, project) FROM cumulative_incidence "
            "ORDER BY cohort_week, campaign_id, age_days"
        ).df()
    curves = cumulative_incidence(frame, ["cohort_week", "campaign"]).rename(columns={"campaign": "campaign_id"})
    assert len(table) > 30
    pd.testing.assert_frame_equal(curves[list(table)], table)


def test_a_column_to_group_by_may_be_called_like_one_of_the_sql():
    twice = pd.concat([leads(VECTOR, age="young", cause=1), leads(VECTOR, age="old", cause=2)])
    expected = cumulative_incidence(leads(VECTOR), least_at_risk=1)
    curves = cumulative_incidence(twice, ["age", "cause"], least_at_risk=1)
    for _, curve in curves.groupby(["age", "cause"]):
        pd.testing.assert_frame_equal(curve.drop(columns=["age", "cause"]).reset_index(drop=True), expected)
    assert len(curves) == 2 * len(expected)
