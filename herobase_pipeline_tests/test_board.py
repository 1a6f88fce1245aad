"""The live board: its numbers are those of the world, what is not known is no zero, and nothing of a name is run."""

import datetime as dt
import html
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from herobase_pipeline.assets import board as asset
from herobase_pipeline.enums import CallEndCause, LeadClosure
from herobase_pipeline.lake import reports
from herobase_pipeline.lake.completeness import asked_at
from herobase_pipeline.lake.engine import bare
from herobase_pipeline.partitions import day_bounds
from herobase_pipeline.reading import board
from herobase_pipeline.reading.board import Pair, Row, Share
from herobase_pipeline.tables import CALLS, SIMPLE_LEADS
from herobase_pipeline_tests import second
from herobase_pipeline_tests.conftest import Centre, centres

pytestmark = pytest.mark.slow
BY_DAY = "calls,private/call_phones,simple_leads,private/lead_data,call_outcomes"
DERIVED = "campaigns,leads,board"
AT = dt.datetime(2026, 11, 23, 12, 37, tzinfo=dt.UTC)  # a Monday, 13:37 in Copenhagen
TODAY, LAST_WEEK, THE_WEEK_BEFORE = "2026-11-23", "2026-11-16", "2026-11-09"
Z = 1.959963984540054


def pull(here: Centre, *whole: str, today: str = "", at: dt.datetime | None = None) -> None:
    """Load days whole, refresh today, and make the board: as the schedules and ``follow`` do."""
    if at:
        here.clock[0] = at
    for day in whole:
        here.load(BY_DAY, day)
    if today:
        assert here.materialize(BY_DAY, today, tags={"herobase/refresh": "true"}).success
    here.load(DERIVED)


def shown(here: Centre) -> str:
    return reports.file(here.lake, "board", "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """A Monday of which half is over, and of the four before it one that is not loaded and one that is not whole."""
    with pytest.MonkeyPatch.context() as patch, centres(tmp_path_factory.mktemp("centre"), patch) as start:
        here = start(now=AT, calls_per_day=400)
        patch.setattr(asset, "utcnow", lambda: here.now)
        pull(here, today="2026-11-02", at=dt.datetime(2026, 11, 2, 10, tzinfo=dt.UTC))
        pull(here, THE_WEEK_BEFORE, LAST_WEEK, today=TODAY, at=AT)
        yield here


# -- a second way --------------------------------------------------------------------------------------------------------


def part(page: str, name: str) -> str:
    """The part of a page with an id, up to the next section's end."""
    found = re.search(rf'id="{name}".*?</section>', page, re.DOTALL)
    assert found, name
    return found[0]


def said(text: str, name: str) -> str:
    """What a page says under a name, in plain text."""
    found = re.search(rf'data-of="{name}">(.*?)</', text, re.DOTALL)
    assert found, name
    return html.unescape(found[1]).replace("\N{NO-BREAK SPACE}", " ").strip()


def rows_of(page: str, table: str) -> dict[str, str]:
    """The rows of the page's tables of a class, by what they are called."""
    tables = re.findall(rf'<table class="{table}">.*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    found = re.findall(r"<tr>\s*<td><bdi>(.*?)</bdi></td>(.*?)</tr>", "".join(tables), re.DOTALL)
    assert len(dict(found)) == len(found)
    return {html.unescape(name): row for name, row in found}


def percent(k: int, n: int) -> str:
    return f"{100 * k / n:.1f} %" if n else "–"


def interval(k: int, n: int, digits: int = 1) -> str:
    """Where a share may lie, by Wilson's formula in its usual form."""
    middle, half = (k / n + Z**2 / 2 / n), Z * (k / n * (1 - k / n) / n + Z**2 / 4 / n**2) ** 0.5
    low, high = ((middle + sign * half) / (1 + Z**2 / n) for sign in (-1, 1))
    return f"{100 * abs(low):.{digits}f} % to {100 * high:.{digits}f} %"


def so_far(here: Centre, day: str, until: dt.datetime, seen_at: dt.datetime) -> Counter:
    """What of a local day had happened up to a moment, as it was seen at another: by what, team and campaign."""
    zone, of_day = here.settings.zone, dt.date.fromisoformat(day)
    bounds = day_bounds(of_day, zone)
    counts: Counter = Counter()
    for call in here.world.calls(bounds.start, bounds.end, seen_at):
        if call.start >= until or not second.is_dial(call):
            continue
        team = call.org_names[-1] if call.org_names else "(no team)"
        settled = call.end_cause is not CallEndCause.NotApplicable and call.status.name != "NotSet"
        settled = settled or seen_at - call.start >= 8 * second.DAY
        counts["dials", team] += 1
        if settled and call.end_cause in second.COMPLETED:
            counts["completed", team] += 1
        if settled and call.end_cause is second.CONTACT:
            counts["contacts", team] += 1
        if settled and call.end_cause is CallEndCause.DroppedCall:
            counts["drops", call.campaign_id] += 1
        if settled and call.end_cause in (CallEndCause.DroppedCall, second.CONTACT):
            counts["live", call.campaign_id] += 1
    return counts


def closed(seen: second.Seen, day: str, until: dt.datetime) -> Counter:
    """Leads closed on a local day before a moment: successes, and those that said yes or no, by team."""
    counts: Counter = Counter()
    for lead in second.leads(seen):
        if lead["closed_date"] == dt.date.fromisoformat(day) and lead["closed_at"] < until:
            team = lead["org_names"][-1] if lead["org_names"] else "(no team)"
            counts["successes", team] += lead["closure"] == LeadClosure.Success.name
            counts["decided", team] += lead["closure"] in (LeadClosure.Success.name, LeadClosure.NotInterested.name)
    return counts


def total(counts: Counter, what: str) -> int:
    return sum(number for (of, _), number in counts.items() if of == what)


def test_the_numbers_are_those_of_the_world_up_to_the_same_time_of_day(loaded):
    here, page = loaded, shown(loaded)
    pulls = [(dt.date(2026, 11, 2), dt.datetime(2026, 11, 2, 10, tzinfo=dt.UTC))]
    pulls += [(dt.date.fromisoformat(day), AT) for day in (THE_WEEK_BEFORE, LAST_WEEK, TODAY)]
    seen = second.observed(here.world, here.settings.zone, pulls)
    ends = {day: AT - dt.timedelta(weeks=n) for n, day in enumerate((TODAY, LAST_WEEK, THE_WEEK_BEFORE))}
    calls = {day: so_far(here, day, end, AT) for day, end in ends.items()}
    leads = {day: closed(seen, day, end) for day, end in ends.items()}
    now, before = calls[TODAY], calls[LAST_WEEK] + calls[THE_WEEK_BEFORE]
    said_yes, then = leads[TODAY], leads[LAST_WEEK] + leads[THE_WEEK_BEFORE]
    assert total(now, "dials") > 100
    assert total(said_yes, "decided") > 10

    assert "Today as of <time" in page
    assert ">13:37</time>" in page
    dials = part(page, "dials")
    assert said(dials, "now") == str(total(now, "dials"))
    assert said(dials, "usual") == f"{total(before, 'dials') / 2:,.0f}".replace(",", " ")
    contacts = part(page, "contacts")
    k, n = total(now, "contacts"), total(now, "completed")
    assert (said(contacts, "now"), said(contacts, "rate"), said(contacts, "interval")) == (
        str(k),
        percent(k, n),
        interval(k, n),
    )
    assert said(contacts, "usual-rate") == percent(total(before, "contacts"), total(before, "completed"))
    conversion = part(page, "conversion")
    k, n = total(said_yes, "successes"), total(said_yes, "decided")
    assert (said(conversion, "now"), said(conversion, "rate"), said(conversion, "interval")) == (
        str(k),
        percent(k, n),
        interval(k, n),
    )
    assert said(conversion, "usual") == f"{total(then, 'successes') / 2:.0f}"
    drops = part(page, "drops")
    k, n = total(now, "drops"), total(now, "live")
    assert (said(drops, "now"), said(drops, "of"), said(drops, "rate"), said(drops, "interval")) == (
        str(k),
        str(n),
        percent(k, n),
        interval(k, n),
    )

    teams = {team for (what, team) in now + before if what == "dials"}
    teams |= {team for (what, team), number in (said_yes + then).items() if number}
    rows = rows_of(page, "teams")
    assert set(rows) >= {team for team in teams if now["dials", team] or before["dials", team]}
    assert set(rows) <= teams | {f"{team}" for team in rows}
    assert list(rows)[-1] == "(no team)"
    for team, row in rows.items():
        assert said(row, "dials") == str(now["dials", team]), team
        assert said(row, "usual-dials") == f"{before['dials', team] / 2:.0f}", team
        assert said(row, "contact-rate") == percent(now["contacts", team], now["completed", team]), team
        assert said(row, "successes") == str(said_yes["successes", team]), team
        assert said(row, "conversion") == percent(said_yes["successes", team], said_yes["decided", team]), team
    assert sum(int(said(row, "successes")) for row in rows.values()) == total(said_yes, "successes")
    live = sorted(number for (what, _), number in now.items() if what == "live" and number)
    assert sorted(int(said(row, "live")) for row in rows_of(page, "campaigns").values()) == live
    assert sum(int(said(row, "drops")) for row in rows_of(page, "campaigns").values()) == total(now, "drops")


def test_a_day_that_is_missing_or_not_whole_is_left_out_and_named(loaded):
    told = re.search(r'id="left-out">(.*?)</p>', shown(loaded), re.DOTALL)
    assert told
    assert " ".join(told[1].split()) == "Not compared: 2026-11-02 (not loaded whole), 2026-10-26 (not loaded)."
    about = loaded.told("board")
    assert about["as_of"] == "2026-11-23 13:37"
    assert about["not_compared"] == "2026-11-02 (not loaded whole), 2026-10-26 (not loaded)"
    assert Path(about["path"]) == loaded.lake.root.absolute() / "reports" / "board" / "index.html"


def test_nobody_who_calls_or_is_called_is_on_it(loaded):
    page, bounds = shown(loaded), day_bounds(dt.date.fromisoformat(TODAY), loaded.settings.zone)
    calls = list(loaded.world.calls(bounds.start, bounds.end, AT))
    assert len(calls) > 100
    for call in calls:
        assert call.lead_id is None or call.lead_id not in page
        assert call.id not in page
        assert call.agent is None or not re.search(rf"\b{re.escape(call.agent)}\b", page)


def test_the_page_asks_for_nothing_else_and_runs_nothing_but_its_own_script(loaded):
    page = shown(loaded)
    assert "default-src 'none'" in page.replace("&#39;", "'")
    assert not re.findall(r"""\s(?:src|href|style|on\w+)=""", page)
    assert page.count("<script>") == page.count("<style>") == 1


def test_a_refresh_without_anything_new_still_says_up_to_when_today_is_known(centre, monkeypatch):
    """In the evening nothing comes: the rows would say that today is known up to the last of them only."""
    here = centre(now=AT, calls_per_day=60)
    monkeypatch.setattr(asset, "utcnow", lambda: here.now)
    pull(here, today=TODAY)
    late = dt.datetime(2026, 11, 23, 22, 30, tzinfo=dt.UTC)  # half past eleven
    pull(here, today=TODAY, at=late - dt.timedelta(minutes=5))
    pull(here, today=TODAY, at=late)
    assert here.told("board")["as_of"] == "2026-11-23 23:30"
    with bare() as con:
        for table in (CALLS, SIMPLE_LEADS):
            assert asked_at(con, here.lake.file(table, dt.date(2026, 11, 23))) == late


def test_an_early_morning_with_nothing_yet_has_zeros_and_no_rate(centre, monkeypatch):
    early = dt.datetime(2026, 11, 23, 3, tzinfo=dt.UTC)
    here = centre(now=early, calls_per_day=60)
    monkeypatch.setattr(asset, "utcnow", lambda: here.now)
    bounds = day_bounds(dt.date.fromisoformat(TODAY), here.settings.zone)
    assert not any(map(second.is_dial, here.world.calls(bounds.start, early, early)))
    pull(here, LAST_WEEK, today=TODAY)
    page = shown(here)
    assert ">04:00</time>" in page
    assert said(part(page, "dials"), "now") == "0"
    assert (said(part(page, "contacts"), "now"), said(part(page, "contacts"), "rate")) == ("0", "–")
    assert said(part(page, "drops"), "rate") == "–"
    assert "no live call yet" in page


def test_a_day_that_is_not_loaded_says_so_and_is_no_zero(centre, monkeypatch):
    here = centre(now=AT, calls_per_day=60)
    monkeypatch.setattr(asset, "utcnow", lambda: here.now)
    pull(here, LAST_WEEK)
    page = shown(here)
    assert "<h1>Today is not loaded yet</h1>" in page
    for tile in ("dials", "contacts", "conversion"):
        assert said(part(page, tile), "now") == "–"
    assert said(part(page, "drops"), "rate") == "–"
    until = AT - dt.timedelta(weeks=1)
    assert said(part(page, "dials"), "usual") == str(total(so_far(here, LAST_WEEK, until, AT), "dials"))
    assert here.told("board")["as_of"] == "today is not loaded yet"
    assert here.materialize("calls", TODAY, tags={"herobase/refresh": "true"}).success
    here.load(DERIVED)
    page = shown(here)
    assert "No conversions: the leads of today are not loaded yet." in page
    assert said(part(page, "conversion"), "now") == "–"
    assert said(part(page, "dials"), "now") == str(total(so_far(here, TODAY, AT, AT), "dials"))


def test_while_more_of_today_came_than_leads_is_made_from_the_page_stays(centre, monkeypatch):
    here = centre(now=AT, calls_per_day=60)
    monkeypatch.setattr(asset, "utcnow", lambda: here.now)
    pull(here, today=TODAY)
    before = shown(here)
    here.clock[0] = AT + dt.timedelta(minutes=30)
    assert here.materialize(BY_DAY, TODAY, tags={"herobase/refresh": "true"}).success
    here.load("board")
    assert shown(here) == before
    here.load("leads,board")
    assert ">14:07</time>" in shown(here)


@pytest.mark.parametrize(
    ("day", "local_noon", "told"),
    [("2026-10-25", 11, "an hour longer"), ("2026-03-29", 10, "an hour shorter")],
)
def test_on_a_day_on_which_the_clocks_change_the_same_time_is_what_clocks_show(
    centre, monkeypatch, day, local_noon, told
):
    noon = dt.datetime.combine(dt.date.fromisoformat(day), dt.time(local_noon), dt.UTC)
    here = centre(now=noon, calls_per_day=1_500)
    monkeypatch.setattr(asset, "utcnow", lambda: here.now)
    week_before = dt.date.fromisoformat(day) - dt.timedelta(weeks=1)
    pull(here, str(week_before), today=day)
    page = shown(here)
    assert ">12:00</time>" in page
    assert f"The clocks changed: {day} is {told} up to then." in page
    then = dt.datetime.combine(week_before, dt.time(12), here.settings.zone).astimezone(dt.UTC)
    assert noon - then != dt.timedelta(weeks=1)
    assert said(part(page, "dials"), "now") == str(total(so_far(here, day, noon, noon), "dials"))
    usual = total(so_far(here, str(week_before), then, noon), "dials")
    assert usual != total(so_far(here, str(week_before), noon - dt.timedelta(weeks=1), noon), "dials")
    assert said(part(page, "dials"), "usual") == f"{usual:,}".replace(",", " ")


# -- what it looks like ----------------------------------------------------------------------------------------------------

HOSTILE = [
    "<script>document.title = 'run'</script>",
    '"><img src=x onerror="document.title=\'run\'">',
    "{{ 7 * 7 }}{% raw %}",
    "</style><style>body { display: none }",
    "\u202egnorw si siht",
    "W" * 400,
    "=cmd|' /C calc'!A0",
]


def large(seen: board.Board, names: list[str]) -> board.Board:
    """A board with a team and a campaign for each name."""
    some = Share(1_234, 5_678, 0.2, 0.3)
    pair = Pair(some, some, 4)
    rows = [Row(name, pair, pair, pair, pair) for name in names]
    return replace(seen, teams=rows, campaigns=rows[:12], other_teams=(3, 17))


@pytest.fixture(scope="module")
def seen(loaded) -> board.Board:
    return board.look(loaded.lake, loaded.settings.zone, AT)


def test_no_name_becomes_markup(seen):
    page = board.page(large(seen, HOSTILE))
    assert page.count("<script>") == page.count("<style>") == 1
    assert "<img" not in page
    assert list(rows_of(page, "teams")) == HOSTILE
    assert "Left out: 3 smaller teams with 17 dials today." in page


def test_only_the_largest_teams_are_on_it(seen, monkeypatch, loaded):
    monkeypatch.setattr(board, "MOST_TEAMS", 2)
    few = board.look(loaded.lake, loaded.settings.zone, AT)
    assert list(few.teams) == list(seen.teams[:2])
    rest = [row.dials.now.numerator for row in seen.teams[2:] if row.dials.now]
    assert few.other_teams == (len(rest), sum(rest))


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (Share(0, 0, None, None), "no live call yet"),
        (Share(20, 100, 0.133, 0.289), "above the limit"),
        (Share(4, 100, 0.016, 0.098), "above so far, too few to tell"),
        (Share(2, 100, 0.006, 0.07), "below so far, too few to tell"),
        (Share(1, 1_000, 0.0002, 0.006), "below the limit"),
    ],
)
def test_how_drops_stand_to_the_limit_takes_their_interval_into_account(share, words):
    assert Pair(share, None, 0).against(0.03)[1] == words
