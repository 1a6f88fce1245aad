"""My team against the four weeks before: in words and as a picture, on the tables of outcomes and of closings."""

import datetime as dt
from collections import Counter

import pytest

from herobase_pipeline.assets import pictures
from herobase_pipeline.enums import CallEndCause
from herobase_pipeline_tests import second
from herobase_pipeline_tests.test_pictures import shown

pytestmark = pytest.mark.slow
FIRST, SUNDAY = "2026-10-12", "2026-11-15"
MONDAY = dt.date(2026, 11, 9)


def counted(here, code: str) -> dict[str, tuple[int, int]]:
    """Contacts and completed dials of a unit with all below it, last week and the four before."""
    counts: Counter[str] = Counter()
    days = [dt.date(2026, 10, 12) + dt.timedelta(days=n) for n in range(35)]
    seen = second.observed(here.world, here.settings.zone, [(day, here.now) for day in days])
    for call in seen.all_calls:
        if code.lower() in [unit.lower() for unit in call.org_path] and second.is_dial(call) and seen.settled(call):
            span = "last week" if seen.day(call.start) >= MONDAY else "the four weeks before"
            counts[span, "of"] += call.end_cause in second.COMPLETED
            counts[span, "reached"] += call.end_cause is CallEndCause.NormalDisconnect
    return {span: (counts[span, "reached"], counts[span, "of"]) for span in ("last week", "the four weeks before")}


def test_each_named_team_is_shown_in_words_and_as_a_picture(centre, drawn):
    here = centre(calls_per_day=120, now=dt.datetime(2026, 11, 16, 6, tzinfo=dt.UTC))
    units = sorted({call.org_path[-1] for call in here.truth("2026-11-13") if call.org_path})
    teams = [unit for unit in units if all(of for _, of in counted(here, unit).values())][:2]
    here.settings = here.settings.model_copy(update={"teams": (*teams, "Nowhere")})
    here.load("calls,simple_leads", FIRST, SUNDAY)
    here.load("org_history")
    here.load("call_outcomes", FIRST, SUNDAY)
    told = shown(here, "call_outcomes", SUNDAY)
    lines = [f"last week of {team}" for team in (*teams, "Nowhere")]
    assert list(told)[: len(lines) + 1] == ["loaded", *lines]
    for team in teams:
        (now, of), (before, of_before) = counted(here, team).values()
        said = str(told[f"last week of {team}"].value)
        assert said.startswith(f"contact_rate_per_dial: {now / of:.1%} (")
        assert f"; the four weeks before {before / of_before:.1%} (" in said
    assert "No call has an org unit Nowhere" in str(told["last week of Nowhere"].value)
    (axes,) = drawn[0].axes
    assert [label.get_text() for label in axes.get_yticklabels()] == teams
    here.load("leads,lead_conversion")
    of_closings = shown(here, "lead_conversion")
    assert pictures.TEAMS in of_closings
    assert str(of_closings[f"last week of {teams[0]}"].value).startswith("conversion_net: ")
    here.settings = here.settings.model_copy(update={"teams": tuple(teams[:1])})
    here.load("lead_conversion")  # of which no day has changed
    assert f"last week of {teams[1]}" not in shown(here, "lead_conversion")
    # a refresh of the next day repeats what was drawn of the week
    refresh = {"herobase/refresh": "true"}
    here.clock[0] += dt.timedelta(hours=6)
    assert here.materialize("calls,call_outcomes", "2026-11-16", tags=refresh).success
    again = shown(here, "call_outcomes", "2026-11-16")
    assert again[f"last week of {teams[0]}"].value == told[f"last week of {teams[0]}"].value
    assert again[pictures.TEAMS].value == told[pictures.TEAMS].value


def test_without_the_setting_there_is_nothing_of_teams(centre):
    here = centre(calls_per_day=30)
    here.load("calls,call_outcomes", "2026-11-18")
    assert not [name for name in shown(here, "call_outcomes", "2026-11-18") if name.startswith(("team", "last week"))]
