"""Leads through time: a version once seen stays, and a closing is counted once."""

import datetime as dt
from collections import Counter
from itertools import pairwise

from herobase_pipeline.herobase.enums import OPEN_LEAD_STATUSES, CallEndCause, CallStatus, LeadStatus
from herobase_pipeline.partitions import local_day
from herobase_pipeline_tests.conftest import Centre

WITHDRAWN = {"Removed", "Anonymized", "DoNotCall", "GlobalDoNotCall"}
OPEN = {status.name for status in OPEN_LEAD_STATUSES}


def nightly(centre: Centre, first: dt.date, days: int) -> None:
    """Pull each day soon after it has ended, as the pipeline does in operation."""
    for offset in range(days):
        day = first + dt.timedelta(days=offset)
        centre.clock[0] = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(0, 30), dt.UTC)
        centre.load("simple_leads,calls", str(day))


def test_t1_t2_a_version_once_seen_survives_every_later_pull(centre):
    here = centre()
    day = "2026-11-04"
    here.clock[0] = dt.datetime(2026, 11, 5, 1, tzinfo=dt.UTC)
    here.load("simple_leads", day)
    seen = set(here.rows("SELECT lead_id, last_modified_at, status, observed_at, origin FROM simple_leads"))
    fields = set(here.rows("SELECT lead_id, last_modified_at, data FROM lead_data"))
    here.clock[0] = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
    later = centre(data="later", now=here.clock[0])
    later.load("simple_leads", day)
    left = {lead_id for (lead_id,) in later.rows("SELECT lead_id FROM simple_leads")}
    moved_on = {row[0] for row in seen} - left
    assert moved_on  # HeroBase really has lost some of them by now

    here.load("simple_leads", day)
    assert set(here.rows("SELECT lead_id, last_modified_at, status, observed_at, origin FROM simple_leads")) >= seen
    assert set(here.rows("SELECT lead_id, last_modified_at, data FROM lead_data")) >= fields
    before = here.rows("SELECT * FROM simple_leads ORDER BY ALL")
    here.load("simple_leads", day)
    assert here.rows("SELECT * FROM simple_leads ORDER BY ALL") == before


def test_t3_versions_pulled_late_are_marked(centre):
    here = centre(now=dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC))
    here.load("simple_leads", "2026-11-18", "2026-11-20")
    here.load("simple_leads", "2026-11-03")
    assert here.rows("SELECT DISTINCT origin FROM simple_leads WHERE date = '2026-11-03'") == [("backfilled",)]
    assert here.rows("SELECT DISTINCT origin FROM simple_leads WHERE date = '2026-11-20'") == [("observed",)]
    assert len(here.rows("SELECT DISTINCT origin FROM simple_leads WHERE date = '2026-11-18'")) == 2


def test_a_day_of_leads_is_what_the_world_changed_last_on_it(centre):
    here = centre()
    here.load("simple_leads", "2026-11-18")
    window = here.window("2026-11-18")
    truth = {
        (lead.id, lead.last_modified, lead.status.name, lead.closure.name, lead.campaign_id, lead.last_modified_by)
        for lead in here.world.leads(here.now, window.start, window.end)
    }
    columns = "lead_id, last_modified_at, status, closure, campaign_id, last_modified_by"
    assert set(here.rows(f"SELECT {columns} FROM simple_leads")) == truth


def test_t32_the_fields_of_a_lead_are_kept_as_they_came(centre):
    here = centre()
    here.load("simple_leads", "2026-11-18")
    keys = {key for (keys,) in here.rows("SELECT json_keys(data) FROM lead_data WHERE data <> '{}'") for key in keys}
    assert {key for key in keys if any(letter in key for letter in "æøåÆØÅ ")}
    assert here.rows("SELECT count(*) FROM lead_data WHERE json_type(data) <> 'OBJECT'") == [(0,)]


def test_t11_leads_closed_are_counted_once_on_the_day_of_their_closing_call(centre):
    """Nightly pulls of two weeks against plain Python over the world's own versions and calls."""
    here = centre(calls_per_day=200)
    first, days = dt.date(2026, 11, 2), 14
    nightly(here, first, days)
    here.load("leads,lead_conversion")
    zone, now = here.settings.zone, here.clock[0]
    start, end = here.window(str(first)).start, here.window(str(first + dt.timedelta(days=days - 1))).end

    calls = [call for call in here.world.calls(start, end, now) if call.lead_id]
    seen = {}
    for lead_id, modified, status, closure in here.rows(
        "SELECT lead_id, last_modified_at, status, closure FROM simple_leads"
    ):
        seen.setdefault(lead_id, []).append((modified, status, closure))
    expected, closing, closures = {}, {}, {}
    for lead_id, versions in seen.items():
        versions.sort()
        opened = [modified for modified, status, _ in versions if status in OPEN]
        closed = [version for version in versions if version[1] not in OPEN and (not opened or version[0] > opened[-1])]
        if versions[-1][1] in OPEN:
            expected[lead_id] = None
            continue
        closings = [modified for modified, *_ in closed]
        _, status, closure = ([version for version in closed if version[1] not in WITHDRAWN] or closed)[-1]
        closures[lead_id] = closure
        dials = [
            call
            for call in calls
            if call.lead_id == lead_id and call.end_cause is CallEndCause.NormalDisconnect
            and call.status is CallStatus.UserProcessed and call.closure.name == closure and call.start <= closings[0]
        ]  # fmt: skip
        found = (
            max(dials, key=lambda call: call.start, default=None) if status == LeadStatus.UserProcessed.name else None
        )
        closing[lead_id] = found
        expected[lead_id] = local_day(found.end if found else closings[0], zone)
    assert dict(here.rows("SELECT lead_id, closed_date FROM leads")) == expected
    credited = {lead_id: call.id for lead_id, call in closing.items() if call}
    assert dict(here.rows("SELECT lead_id, closing_call_id FROM leads WHERE attribution = 'closing_call'")) == credited
    assert len(credited) > 100

    by_day = Counter((day, closures[lead_id]) for lead_id, day in expected.items() if day)
    counted = here.rows(
        "SELECT closed_date, closure, sum(leads)::BIGINT FROM lead_conversion WHERE org_level = 0 GROUP BY ALL"
    )
    assert {(day, closure): leads for day, closure, leads in counted} == by_day
    of_team = Counter((call.org_path, closures[lead_id]) for lead_id, call in closing.items() if call and call.org_path)
    leaves = here.rows(
        "SELECT org_path, closure, sum(leads)::BIGINT FROM lead_conversion WHERE org_level > 0 GROUP BY ALL"
    )
    found = {(tuple(path), closure): leads for path, closure, leads in leaves}
    last_contact = here.rows("SELECT count(*) FROM leads WHERE attribution = 'last_contact'")[0][0]
    assert 0 <= sum(found.get(key, 0) - leads for key, leads in of_team.items()) <= last_contact


def test_t17_t18_dials_attempts_and_contacts(centre):
    here = centre(calls_per_day=400)
    here.load("calls,simple_leads", "2026-11-16", "2026-11-20")
    here.load("leads")
    window = here.window("2026-11-16", "2026-11-20")
    dials: dict[str, list] = {}
    for call in here.world.calls(window.start, window.end, here.now):
        if call.lead_id and not call.incoming and call.status is not CallStatus.Transferred:
            dials.setdefault(call.lead_id, []).append(call)
    expected = {}
    for lead_id, legs in dials.items():
        legs.sort(key=lambda call: (call.start, call.id))
        follow_ups = sum(
            (before.status is CallStatus.AlternativeNumberDialed or before.end_cause is CallEndCause.DroppedCall)
            and call.start - (before.end or before.start) <= dt.timedelta(minutes=10)
            for before, call in pairwise(legs)
        )
        contacts = sum(call.end_cause is CallEndCause.NormalDisconnect for call in legs)
        expected[lead_id] = (len(legs), len(legs) - follow_ups, contacts)
    rows = {
        lead_id: tuple(rest) for lead_id, *rest in here.rows("SELECT lead_id, dials, attempts, contacts FROM leads")
    }
    assert {lead_id: expected.get(lead_id, (0, 0, 0)) for lead_id in rows} == rows
    assert any(dialled > attempts for dialled, attempts, _ in rows.values())


def test_a_lead_that_is_withdrawn_or_erased_later_stays_closed_as_it_was(centre):
    here = centre(calls_per_day=400, now=dt.datetime(2026, 10, 20, 1, tzinfo=dt.UTC))
    here.load("calls,simple_leads", "2026-10-12", "2026-10-19")
    here.load("leads,lead_conversion")
    before = here.rows("SELECT * FROM lead_conversion ORDER BY ALL")
    told = dict(
        here.rows("SELECT lead_id, (closure, closed_at, attribution, agent) FROM leads WHERE closure = 'Success'")
    )
    here.clock[0] = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
    here.load("simple_leads", "2026-10-20", "2026-11-20")
    here.load("leads,lead_conversion")
    columns = "lead_id, (closure, closed_at, attribution, agent)"
    query = f"SELECT {columns} FROM leads WHERE status IN ('Removed', 'Anonymized', 'DoNotCall')"
    withdrawn = {lead_id: now for lead_id, now in here.rows(query) if lead_id in told}
    assert withdrawn
    assert withdrawn == {lead_id: told[lead_id] for lead_id in withdrawn}
    assert before
