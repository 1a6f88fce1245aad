"""The world: a function of (seed, clock), and full of the situations of the traps (domain.md 6)."""

import datetime as dt
import hashlib
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from herobase_pipeline.enums import CallEndCause, CallStatus, LeadClosure, LeadStatus
from herobase_pipeline.partitions import day_bounds
from herobase_pipeline.sandbox import World
from herobase_pipeline.sandbox.world.truth import Call
from herobase_pipeline_tests.sandbox.conftest import NOW, ROOT, made

ZONE = ZoneInfo("Europe/Copenhagen")
SECOND = dt.timedelta(seconds=1)
DAY = dt.timedelta(days=1)
EARLY = dt.datetime(2026, 11, 2, tzinfo=dt.UTC)


def between(first: dt.datetime, last: dt.datetime) -> st.SearchStrategy[dt.datetime]:
    return st.datetimes(first.replace(tzinfo=None), last.replace(tzinfo=None), timezones=st.just(dt.UTC))


UNTIL_NOW = between(EARLY, NOW)


def calls_of(world: World, day: dt.date, now: dt.datetime | None = None) -> list[Call]:
    bounds = day_bounds(day, ZONE)
    return list(world.calls(bounds.start, bounds.end, now or bounds.end + 10 * DAY))


@pytest.fixture(scope="module")
def small() -> World:
    return World(made(calls_per_day=200), lambda: NOW)


@pytest.fixture(scope="module")
def month(world: World) -> list[Call]:
    return list(world.calls(EARLY - 7 * DAY, NOW, NOW))


def digest(values: Iterable[object]) -> str:
    found = hashlib.sha256()
    for value in values:
        found.update(repr(value).encode())
    return found.hexdigest()


# -- a function of (seed, clock) -----------------------------------------------------------------------------------


def test_another_process_sees_the_same_world(world: World) -> None:
    program = (
        "import datetime as dt\n"
        "from herobase_pipeline_tests.sandbox.test_world import digest, fingerprint\n"
        "from herobase_pipeline_tests.sandbox.conftest import made\n"
        "from herobase_pipeline.sandbox import World\n"
        "print(fingerprint(World(made())))"
    )
    other = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": "."},
    )
    assert other.stdout.strip() == fingerprint(world)


def fingerprint(world: World) -> str:
    start = NOW - 2 * DAY
    return digest(
        [
            list(world.calls(start, NOW, NOW)),
            list(world.leads(NOW, start, NOW)),
            world.users(NOW),
            world.org_units(NOW),
            world.campaigns(NOW),
        ]
    )


def test_seeds_differ(world: World) -> None:
    other = World(made(seed=2), lambda: NOW)
    assert {c.id for c in other.calls(NOW - DAY, NOW)} != {c.id for c in world.calls(NOW - DAY, NOW)}


@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(UNTIL_NOW, min_size=3, max_size=6).map(sorted), shuffled=st.randoms(use_true_random=False))
def test_windows_of_calls_are_half_open_and_add_up_in_any_order(
    small: World, cuts: list[dt.datetime], shuffled: object
) -> None:
    fresh = World(small.settings, lambda: NOW)
    pieces = list(pairwise(cuts))
    shuffled.shuffle(pieces)  # type: ignore[attr-defined]
    found = {piece: list(fresh.calls(*piece, NOW)) for piece in pieces}
    assert all(a <= c.start < b for (a, b), calls in found.items() for c in calls)
    joined = [c for piece in sorted(pieces) for c in found[piece]]
    assert joined == list(small.calls(cuts[0], cuts[-1], NOW))


@settings(max_examples=8, deadline=None)
@given(
    cuts=st.lists(UNTIL_NOW, min_size=3, max_size=5).map(sorted),
    now=between(EARLY, NOW + 46 * DAY),
)
def test_windows_of_leads_are_half_open_and_add_up(small: World, cuts: list[dt.datetime], now: dt.datetime) -> None:
    pieces = [list(small.leads(now, a, b)) for a, b in pairwise(cuts)]
    joined = sorted(lead.id for piece in pieces for lead in piece)
    assert joined == sorted(lead.id for lead in small.leads(now, cuts[0], cuts[-1]))
    assert all(lead.last_modified <= now for piece in pieces for lead in piece)


@settings(max_examples=8, deadline=None)
@given(now=UNTIL_NOW)
def test_a_lead_is_its_last_version_so_far(small: World, now: dt.datetime) -> None:
    for lead in list(small.leads(now, now - DAY, now + SECOND))[::40]:
        versions = small.lead_versions(lead.id, now)
        assert (versions[-1].modified, versions[-1].status, versions[-1].closure, versions[-1].by) == (
            lead.last_modified, lead.status, lead.closure, lead.last_modified_by,
        )  # fmt: skip
        assert [v.modified for v in versions] == sorted({v.modified for v in versions})
        assert small.lead(lead.id, now) == lead
        later = small.lead_versions(lead.id, now + 200 * DAY)
        assert later[: len(versions)] == versions


def test_today_grows_and_the_past_stands(world: World) -> None:
    noon = {c.id: c for c in world.calls(NOW - DAY, NOW, NOW)}
    later = {c.id: c for c in world.calls(NOW - DAY, NOW + DAY, NOW + dt.timedelta(hours=3))}
    assert set(noon) < set(later)
    assert all(later[i] == c for i, c in noon.items() if c.status and c.phone and c.wrap_up_s is not None)


def test_versions_by_upload_are_those_of_each_lead(world: World) -> None:
    day = dt.date(2026, 11, 3)
    versions = list(world.versions(day, day + DAY, NOW))
    by_lead = defaultdict(list)
    for version in versions:
        by_lead[version.lead_id].append(version)
    assert len(by_lead) > 400
    assert all(world.lead_versions(i, NOW) == v for i, v in list(by_lead.items())[::50])


# -- plausible -----------------------------------------------------------------------------------------------------


def test_sizes_by_day(world: World) -> None:
    tuesday, saturday, sunday = (len(calls_of(world, dt.date(2026, 11, d))) for d in (17, 14, 15))
    assert 1_700 < tuesday < 2_300
    assert 60 < sunday < saturday < 400
    assert calls_of(world, dt.date(2026, 12, 25)) == []
    assert 0 < len(calls_of(world, dt.date(2026, 5, 25))) < 100  # Whit Monday: the incoming line only
    assert calls_of(world, dt.date(2014, 12, 31)) == []
    assert len({c.agent for c in calls_of(world, dt.date(2026, 11, 17))}) > 45


@pytest.mark.parametrize("calls_per_day", [0, 1, 12, 300])
def test_small_worlds(calls_per_day: int) -> None:
    small = World(made(calls_per_day=calls_per_day), lambda: NOW)
    calls = calls_of(small, dt.date(2026, 11, 17))
    assert calls_per_day * 0.6 - 2 <= len(calls) <= calls_per_day * 1.4 + 2
    assert list(small.leads(NOW, NOW - DAY)) or calls_per_day < 20


def test_ids_are_unique_over_years(world: World) -> None:
    days = [dt.date(y, m, 12) for y in (2016, 2026, 2038) for m in (3, 4)]
    ids = [c.id for day in days for c in calls_of(world, day)]
    assert len(ids) == len(set(ids)) > 5_000
    assert all(i.endswith("S3064") and i[:-5].isdigit() for i in ids)


def test_parts_of_a_call_agree(month: list[Call]) -> None:
    for c in month:
        assert c.connected == (c.connect is not None)
        if c.end is None:
            assert (c.end_cause, c.status, c.closure) == (
                CallEndCause.NotApplicable,
                CallStatus.NotSet,
                LeadClosure.NotSet,
            )
            assert c.conversation_s is None
            assert c.wrap_up_s is None
            continue
        assert (c.end_cause == CallEndCause.NormalDisconnect) == c.connected
        assert c.end == (c.connect or c.start + dt.timedelta(seconds=c.dialing_s or 0)) + dt.timedelta(
            seconds=c.conversation_s or 0
        )
        assert (c.agent is None) == (c.end_cause == CallEndCause.DroppedCall)
        assert (c.closure != LeadClosure.NotSet) <= (c.status == CallStatus.UserProcessed)
        if c.status == CallStatus.RedialAutomatic and c.end_cause == CallEndCause.NormalDisconnect:
            assert c.conversation_s == 0  # silence; a real contact has a result
        assert bool(c.org_path) == (c.agent is not None)
        assert c.incoming <= (c.agent is not None)


def test_agents_rarely_do_two_things_at_once(month: list[Call]) -> None:
    by_agent: dict[str, list[Call]] = defaultdict(list)
    for call in month:
        if call.agent:
            by_agent[call.agent].append(call)
    pairs = [(a, b) for calls in by_agent.values() for a, b in pairwise(calls)]
    assert sum(b.start < (a.end or a.start) for a, b in pairs) < 0.001 * len(pairs)


def test_a_closed_lead_was_closed_by_a_call(world: World, month: list[Call]) -> None:
    by_lead = defaultdict(list)
    for call in month:
        by_lead[call.lead_id].append(call)
    checked = 0
    for lead in world.leads(NOW, NOW - DAY, NOW):
        if lead.first_processed and lead.first_processed > EARLY:
            calls = [c for c in by_lead[lead.id] if c.agent == lead.first_processed_by]
            assert any(c.end and 0 <= (lead.first_processed - c.end).total_seconds() < 1_800 for c in calls), lead
            checked += 1
    assert checked > 300


# -- the situations of the traps -----------------------------------------------------------------------------------


def test_every_end_cause_status_and_closure_occurs(world: World, month: list[Call]) -> None:
    assert {c.end_cause for c in month} == set(CallEndCause)
    assert {c.status for c in month} == set(CallStatus)
    assert {c.closure for c in month} == set(LeadClosure)
    leads = list(world.leads(NOW, NOW - 25 * DAY, NOW))
    assert {lead.status for lead in leads} == set(LeadStatus)
    assert {lead.closure for lead in leads} == set(LeadClosure)
    closed_by_the_system = [lead for lead in leads if lead.status == LeadStatus.Depleted]
    assert all(lead.closure == LeadClosure.NotSet and lead.first_processed is None for lead in closed_by_the_system)


def test_an_old_day_loses_leads_as_time_goes_on(world: World) -> None:
    """T1, T3: the filter works on the current modification."""
    day = day_bounds(dt.date(2026, 11, 3), ZONE)
    sizes = [len(list(world.leads(day.end + n * DAY, day.start, day.end))) for n in (0, 1, 7, 40)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 0.8 * sizes[0]


def test_dst_hours_hold_calls(world: World) -> None:
    """T6, T7: both folds of 02:00–03:00 in October, and the edges of the missing hour in March."""
    october = [c.start.astimezone(ZONE) for c in calls_of(world, dt.date(2026, 10, 25))]
    assert {t.fold for t in october if t.hour == 2} == {0, 1}
    march = [c.start.astimezone(ZONE) for c in calls_of(world, dt.date(2026, 3, 29))]
    assert {1, 3} <= {t.hour for t in march}
    assert 2 not in {t.hour for t in march}


def test_calls_in_progress_settle(world: World) -> None:
    """T8."""
    open_now = {c.id for c in world.calls(NOW - dt.timedelta(hours=2), NOW + SECOND, NOW) if c.end is None}
    assert open_now
    wrapping = [c for c in world.calls(NOW - dt.timedelta(hours=2), NOW, NOW) if c.end and c.wrap_up_s is None]
    assert all(c.status == CallStatus.NotSet for c in wrapping)
    later = {c.id: c for c in world.calls(NOW - dt.timedelta(hours=2), NOW + SECOND, NOW + DAY)}
    assert all(later[i].end for i in open_now)


def test_unsaved_calls_are_abandoned_after_a_week(world: World) -> None:
    """T9: the status of an old call changes within eight days, and not later."""
    day = day_bounds(dt.date(2026, 11, 3), ZONE)
    late = [
        c for c in world.calls(day.start, day.end, day.end + 6 * DAY) if c.status == CallStatus.NotSet and c.lead_id
    ]
    after = {c.id: c for c in world.calls(day.start, day.end, day.start + 8 * DAY)}
    assert late
    assert all(after[c.id].status == CallStatus.Abandoned for c in late)
    for call in late:
        lead = world.lead_versions(call.lead_id or "", day.end + 8 * DAY)[-2:]
        assert [v.status for v in lead] == [LeadStatus.Unresolved, LeadStatus.Abandoned]


def test_calls_across_midnight(month: list[Call]) -> None:
    """T10."""
    assert any(c.end and c.end.astimezone(ZONE).date() > c.start.astimezone(ZONE).date() for c in month)


def test_successes_are_edited_reclassified_and_reopened(world: World) -> None:
    """T11, T12, T28: by other people than the one who sold."""
    histories = defaultdict(list)
    for version in world.versions(dt.date(2026, 9, 1), dt.date(2026, 9, 9), NOW):
        histories[version.lead_id].append(version)
    kinds: Counter[str] = Counter()
    for versions in histories.values():
        for before, after in pairwise(versions):
            if before.status == LeadStatus.UserProcessed:
                kinds["edited"] += after.closure == before.closure and after.by != before.by
                kinds["reclassified"] += after.status == before.status and after.closure != before.closure
                kinds["reopened"] += after.status == LeadStatus.RedialManualCommon
    assert kinds["edited"] > 50
    assert kinds["reclassified"] > 5
    assert kinds["reopened"] > 0


def test_transfers_follow_their_call(month: list[Call]) -> None:
    """T17."""
    by_lead = defaultdict(list)
    for call in month:
        by_lead[call.lead_id].append(call)
    legs = [c for c in month if c.status == CallStatus.Transferred and c.start > EARLY]
    assert legs
    for leg in legs:
        before = max((c for c in by_lead[leg.lead_id] if c.start < leg.start), key=lambda c: c.start)
        assert before.status == CallStatus.UserProcessed
        assert before.agent != leg.agent


def test_alternative_numbers_and_recalls_follow_at_once(month: list[Call]) -> None:
    """T18, T21."""
    by_lead = defaultdict(list)
    for call in month:
        by_lead[call.lead_id].append(call)
    drops, recalled = 0, 0
    for calls in by_lead.values():
        for call, after in pairwise(calls):
            if call.end is None or call.lead_id is None:
                continue
            pause = (after.start - call.end).total_seconds()
            if call.status == CallStatus.AlternativeNumberDialed:
                assert 0 <= pause < 90
                assert after.agent == call.agent
            if call.end_cause == CallEndCause.DroppedCall:
                drops += 1
                recalled += pause < 60
    assert 0.4 * drops < recalled < drops
    assert any(a.phone != b.phone for calls in by_lead.values() for a, b in pairwise(calls) if a.status == 199)


def test_people_join_leave_and_move(world: World) -> None:
    """T24, T25: the path of a call is the one at its time."""
    people = world.users(NOW)
    assert 50 < sum(u.active for u in people) < 100
    assert len({u.code.casefold() for u in people}) == len(people)
    moved = {u.code: u for u in people if len(u.moves) > 1}
    at_noon = [u for u in moved.values() if any(at.astimezone(ZONE).hour for at, _ in u.moves[1:])]
    assert at_noon
    for user in at_noon[:6]:
        move = next(at for at, _ in user.moves[1:] if at.astimezone(ZONE).hour)
        for call in calls_of(world, move.astimezone(ZONE).date()):
            if call.agent == user.code:
                unit = [code for at, code in user.moves if at <= call.start][-1]
                assert call.org_path[-1] == unit


def test_codes_are_of_every_form(world: World) -> None:
    """T30b."""
    codes = [u.code for u in world.users(NOW)]
    assert any("@" in c for c in codes)
    assert any(c[0] == "t" and "@" not in c for c in codes)
    assert any(c.isupper() and c[0] == "T" for c in codes)
    units = [u.code for u in world.org_units(NOW)]
    assert any("/" in c for c in units)
    assert any(set("æøåÆØÅ") & set(c) for c in units)
    depths = {len(c.org_path) for c in calls_of(world, dt.date(2026, 11, 17)) if c.org_path}
    assert depths == {3, 4}


def test_units_are_renamed_moved_and_recoded(world: World) -> None:
    """T26: the same unit under another name, parent or code; each call keeps what was so when it was made."""

    def paths(day: dt.date) -> set[tuple[tuple[str, str], ...]]:
        return {tuple(zip(c.org_path, c.org_names, strict=True)) for c in calls_of(world, day) if c.org_path}

    before, after = paths(dt.date(2026, 2, 26)), paths(dt.date(2026, 11, 17))
    names = [{code: name for path in found for code, name in path} for found in (before, after)]
    assert names[0]["Mødebooking Øst"] != names[1]["Mødebooking Øst"]
    parents = [{path[-1][0]: path[-2][0] for path in found} for found in (before, after)]
    assert parents[0]["team grøn"] != parents[1]["team grøn"]
    assert "Team Å" in parents[0]
    assert "Team Aa - Ringkøbing" in parents[1]
    units = [{u.id: u.code for u in world.org_units(dt.datetime(2026, m, 26, tzinfo=dt.UTC))} for m in (2, 11)]
    assert len(set(units[0]) - set(units[1])) == 1  # the pilot team is gone
    assert all(path[0][0] == ROOT for path in after)


def test_erased_leads_leave_no_phone(world: World) -> None:
    """API 4.4."""
    erased = [lead for lead in world.leads(NOW, NOW - 20 * DAY, NOW) if lead.erased]
    assert erased
    ids = {lead.id for lead in erased}
    calls = [c for c in world.calls(NOW - 40 * DAY, NOW - 25 * DAY, NOW) if c.lead_id in ids]
    assert calls
    assert all(c.phone is None for c in calls)
    first = min(lead.last_modified for lead in erased)
    assert any(c.phone for c in world.calls(NOW - 40 * DAY, NOW - 25 * DAY, first - SECOND) if c.lead_id in ids)


def test_incoming_calls_with_and_without_lead(month: list[Call]) -> None:
    """T22."""
    incoming = [c for c in month if c.incoming]
    assert any(c.lead_id is None for c in incoming)
    assert any(c.lead_id for c in incoming)
    assert any(c.project != "Kundeservice" for c in incoming)


def test_dropped_calls_with_a_team() -> None:
    with_team = World(made(dropped_calls="campaign_unit"), lambda: NOW)
    dropped = [c for c in with_team.calls(NOW - DAY, NOW) if c.end_cause == CallEndCause.DroppedCall]
    assert dropped
    assert all(c.agent is None and c.org_path for c in dropped)


def test_campaigns_live_and_end(world: World) -> None:
    campaigns = world.campaigns(NOW)
    assert len({c.id for c in campaigns}) == len(campaigns)
    assert {c.active for c in campaigns} == {True, False}
    known = {c.id: c for c in campaigns}
    for call in (c for n in range(0, 200, 20) for c in calls_of(world, (NOW - n * DAY).date(), NOW)):
        campaign = known[call.campaign_id]
        assert campaign.begins <= call.start < (campaign.ends or call.start + SECOND)


def test_a_frozen_clock_and_another_zone() -> None:
    world = World(made(now="2026-03-02T12:00:00Z", timezone="America/New_York"))
    assert world.now() == dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
    day = day_bounds(dt.date(2026, 2, 26), ZoneInfo("America/New_York"))
    hours = Counter(c.start.astimezone(ZoneInfo("America/New_York")).hour for c in world.calls(day.start, day.end))
    assert sum(hours[h] for h in range(8, 21)) > 0.9 * hours.total()
