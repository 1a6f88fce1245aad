"""Leads from hand-made calls and versions: what no call centre of the sandbox tells apart. Each lead is named by its case."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from herobase_pipeline.enums import CallEndCause, CallStatus, LeadClosure, LeadStatus
from herobase_pipeline.sandbox.world.truth import Call, Lead
from herobase_pipeline_tests import second
from herobase_pipeline_tests.tables.making import (
    DAY,
    NORTH,
    SOUTH,
    ZONE,
    Row,
    after,
    at,
    call,
    closing,
    contact,
    day,
    dropped,
    leads_of,
    opened,
    span,
    version,
)

ALTERNATIVE = "AlternativeNumberDialed"
SECOND = dt.timedelta(seconds=1)
HAIR = dt.timedelta(microseconds=1)


def each(leads: dict[str, Row], *columns: str) -> dict[str, Any]:
    """A column of each lead, or a tuple of several."""
    rows = {lead: tuple(row[column] for column in columns) for lead, row in leads.items()}
    return rows if len(columns) > 1 else {lead: values[0] for lead, values in rows.items()}


# -- attempts --------------------------------------------------------------------------------------------------------


def test_t18_another_number_continues_the_attempt_of_the_same_agent():
    def two(lead, first, second):
        number = call(at("09:00"), lead, call_status=ALTERNATIVE, agent=first)
        return [number, call(at("09:02"), lead, agent=second)]

    leads = leads_of([
        *two("same agent", "anna", "anna"),
        *two("same in other letters", "T01ABCD", "t01abcd"),
        *two("other agent", "anna", "bo"),
        *two("first unknown", None, "anna"),
        *two("second unknown", "anna", None),
        *two("both unknown", None, None),
    ])  # fmt: skip
    assert each(leads, "dials", "attempts") == {
        "same agent": (2, 1),
        "same in other letters": (2, 1),
        "other agent": (2, 2),
        "first unknown": (2, 1),
        "second unknown": (2, 1),
        "both unknown": (2, 1),
    }


def test_t18_three_numbers_are_one_attempt_and_a_redial_is_another():
    clocks = (
        ("09:00", ALTERNATIVE),
        ("09:02", ALTERNATIVE),
        ("09:04", "RedialAutomatic"),
        ("09:06", "RedialAutomatic"),
    )
    lead = leads_of([call(at(clock), call_status=status) for clock, status in clocks])["lead"]
    assert (lead["dials"], lead["attempts"]) == (4, 2)


@pytest.mark.parametrize("first", [{"call_status": ALTERNATIVE}, {"end_cause": "DroppedCall"}], ids=["T18", "T21"])
def test_t18_t21_an_attempt_goes_on_for_ten_minutes_after_the_end_of_the_dial_before(first):
    start, end = at("09:00"), at("09:03")
    ten = dt.timedelta(minutes=10)
    nexts = {
        "at the end": (end, end),
        "exactly ten minutes": (end, end + ten),
        "a hair more": (end, end + ten + HAIR),
        "a second more": (end, end + ten + SECOND),
        "before it ended": (end, start + SECOND),
        "without an end, ten minutes from its start": (None, start + ten),
        "without an end, a second more": (None, start + ten + SECOND),
        "on the next day": (end, after(end, days=1)),
    }
    leads = leads_of(
        row
        for lead, (ended, again) in nexts.items()
        for row in (call(start, lead, ended_at=ended, **first), call(again, lead))
    )
    assert each(leads, "attempts") == {
        "at the end": 1,
        "exactly ten minutes": 1,
        "a hair more": 2,
        "a second more": 2,
        "before it ended": 1,
        "without an end, ten minutes from its start": 1,
        "without an end, a second more": 2,
        "on the next day": 2,
    }


def test_t21_a_drop_and_the_recall_by_any_agent_are_one_attempt():
    leads = leads_of([
        dropped(at("10:00"), "recalled", ended_at=at("10:00:05")), contact(at("10:00:20"), "recalled", agent="bo"),
        dropped(at("10:00"), "dropped with an agent", agent="anna"), contact(at("10:02"), "dropped with an agent", agent="bo"),
        dropped(at("10:00"), "twice"), dropped(at("10:05"), "twice"), contact(at("10:10"), "twice"),
        dropped(at("10:00"), "another number of another agent", agent="anna", call_status=ALTERNATIVE),
        contact(at("10:02"), "another number of another agent", agent="bo"),
    ])  # fmt: skip
    assert each(leads, "dials", "attempts", "contacts") == {
        "recalled": (2, 1, 1),
        "dropped with an agent": (2, 1, 1),
        "twice": (3, 1, 1),
        "another number of another agent": (2, 1, 1),
    }


def test_t21_after_any_other_end_a_new_attempt_begins():
    causes = [*(cause.name for cause in CallEndCause), "Odd", None]
    leads = leads_of(
        row
        for cause in causes
        for row in (call(at("10:00"), f"{cause}", end_cause=cause), call(at("10:02"), f"{cause}"))
    )
    assert each(leads, "attempts") == {**dict.fromkeys(leads, 2), "DroppedCall": 1}
    assert len(leads) == 9


def test_t19_a_call_abandoned_by_its_agent_is_no_drop():
    lead = leads_of([contact(at("10:00"), call_status="Abandoned"), contact(at("10:02"))])["lead"]
    assert (lead["dials"], lead["attempts"], lead["contacts"]) == (2, 2, 2)


def test_t17_t22_what_comes_in_between_does_not_end_an_attempt():
    leads = leads_of([
        dropped(at("10:00"), "a transfer"), contact(at("10:01"), "a transfer", call_status="Transferred"),
        call(at("10:02"), "a transfer"),
        dropped(at("10:00"), "called back"), contact(at("10:01"), "called back", incoming=True),
        call(at("10:02"), "called back"),
        call(at("10:00"), "busy", call_status=ALTERNATIVE), call(at("10:02"), "busy", end_cause="Busy"),
        call(at("10:04"), "busy"),
    ])  # fmt: skip
    assert each(leads, "dials", "attempts") == {"a transfer": (2, 1), "called back": (2, 1), "busy": (3, 2)}


def test_t10_attempts_are_on_the_local_days_of_their_start():
    lead = leads_of([call(at("23:58")), call(at("00:30", 1)), call(at("23:59:59", 1)), dropped(at("00:00", 2))])["lead"]
    assert lead["attempt_dates"] == [DAY, day(1), day(1), day(2)]
    drop_at_midnight = [dropped(at("23:59", 1)), call(at("00:01", 2))]
    assert leads_of(drop_at_midnight)["lead"]["attempt_dates"] == [day(1)]


# -- what is counted -------------------------------------------------------------------------------------------------


def test_t17_a_transfer_leg_is_no_dial_no_contact_and_closes_nothing():
    received = {"call_status": "Transferred", "lead_closure": "Success", "agent": "bo", "org_path": NORTH}
    leads = leads_of(
        [
            contact(at("10:00"), "transferred", call_status=None), contact(at("10:05"), "transferred", **received),
            closing(at("10:00"), "closed first"), contact(at("10:05"), "closed first", **received),
            contact(at("10:05"), "only the leg", **received),
            contact(at("10:05"), "only the leg, no version", **received),
        ],
        [version(at("10:10"), lead) for lead in ("transferred", "closed first", "only the leg")],
    )  # fmt: skip
    assert each(leads, "dials", "attempts", "contacts", "attribution", "agent") == {
        "transferred": (1, 1, 1, "last_contact", "anna"),
        "closed first": (1, 1, 1, "closing_call", "anna"),
        "only the leg": (0, 0, 0, "lead_user", "anna"),
    }
    assert leads["closed first"]["closing_call_id"] == "closed first at 02 09:00:00"


def test_t22_what_a_dial_must_be_to_be_completed():
    causes = [*(cause.name for cause in CallEndCause), "Odd", None]
    leads = leads_of(
        [call(at("10:00"), f"{cause}", end_cause=cause) for cause in causes]
        + [call(at("09:00"), "cancelled before", end_cause="DialingCancelled"), call(at("10:00"), "cancelled before")]
        + [call(at("09:00"), "unresolved before", end_cause="NotApplicable", settled=False)]
        + [call(at("10:00"), "unresolved before")]
        + [call(at("10:00"), "not settled", end_cause="Busy", call_status="NotSet", settled=False)]
        + [contact(at("09:00"), "called us before", incoming=True), call(at("10:00"), "called us before")]
        + [call(at("09:00"), "transferred before", call_status="Transferred"), call(at("10:00"), "transferred before")]
    )  # fmt: skip
    at_ten, never = at("10:00"), None
    assert each(leads, "first_completed_at") == {
        "NotApplicable": never,
        "NormalDisconnect": at_ten,
        "NoResponse": at_ten,
        "Busy": at_ten,
        "VoiceMail": at_ten,
        "DroppedCall": at_ten,
        "DialingCancelled": never,
        "Odd": never,
        "None": never,
        "cancelled before": at_ten,
        "unresolved before": at_ten,
        "not settled": at_ten,
        "called us before": at_ten,
        "transferred before": at_ten,
    }
    assert all(
        row["dials"] == 1 for lead, row in leads.items() if lead not in ("cancelled before", "unresolved before")
    )
    assert leads["cancelled before"]["first_dial_at"] == at("09:00")


def test_the_first_contact_is_a_dial():
    leads = leads_of(
        [contact(at("09:00"), incoming=True), call(at("10:00")), contact(at("11:00")), contact(at("12:00"))]
    )
    lead = leads["lead"]
    assert (lead["first_dial_at"], lead["first_contact_at"]) == (at("10:00"), at("11:00"))
    assert (lead["dials"], lead["contacts"]) == (3, 2)


def test_the_first_dial_of_several_at_once_is_that_of_the_lowest_id():
    of_id = {"a": (SOUTH, "C1"), "b": (NORTH, "C2")}
    for ids in ("ab", "ba"):
        rows = [call(at("10:00"), call_id=i, org_path=of_id[i][0], campaign_id=of_id[i][1]) for i in ids]
        lead = leads_of(rows)["lead"]
        assert (lead["first_dial_path"], lead["first_dial_campaign_id"]) == (SOUTH, "C1")
        assert lead["first_dial_names"] == ["Team Root", "Team South"]


def test_t30a_a_first_dial_without_a_hierarchy():
    lead = leads_of([dropped(at("10:00"), campaign_id=None), call(at("10:01"))])["lead"]
    assert (lead["first_dial_path"], lead["first_dial_names"]) == ([], [])
    assert lead["first_dial_campaign_id"] is None


def test_days_are_local_ones():
    lead = leads_of(
        [closing(at("00:10"), ended_at=at("00:20"))],
        [version(at("00:25"), uploaded_at=at("00:30", -1))],
    )["lead"]
    assert at("00:10").date() < DAY  # in UTC
    assert (lead["cohort_date"], lead["closed_date"], lead["uploaded_date"]) == (DAY, DAY, day(-1))


def test_a_lead_that_only_calls_tell_of():
    leads = leads_of([
        call(at("10:00"), "dialled", campaign_id="C1", campaign_code="One"),
        closing(at("11:00"), "dialled", campaign_id="C2", campaign_code="Two"),
        contact(at("10:00"), "called us", incoming=True),
        contact(at("10:00"), None),
    ])  # fmt: skip
    assert leads.keys() == {"dialled", "called us"}
    lead = leads["dialled"]
    unknown = ("status", "closure", "uploaded_at", "uploaded_date", "closed_at", "closed_date", "closing_call_id",
               "agent", "credited_incoming", "attempts_to_close", "known_through")  # fmt: skip
    assert [lead[name] for name in unknown] == [None] * len(unknown)
    assert (lead["campaign_id"], lead["campaign_code"]) == ("C2", "Two")
    assert (lead["versions"], lead["erased"], lead["attribution"]) == (0, False, None)
    assert (lead["dials"], lead["org_path"], lead["org_names"]) == (2, [], [])
    lead = leads["called us"]
    assert (lead["dials"], lead["attempts"], lead["contacts"], lead["attempt_dates"]) == (0, 0, 0, [])
    assert (lead["first_dial_at"], lead["cohort_date"], lead["first_dial_path"]) == (None, None, [])
    assert lead["campaign_id"] == "C1"


def test_a_lead_without_calls():
    leads = leads_of(
        [],
        [opened(at("10:00"), "open"), version(at("10:00"), "closed"), version(at("10:00"), "run out", "Expired")],
        complete=[DAY],
    )
    assert each(leads, "attribution", "agent", "closed_at") == {
        "open": ("open", None, None),
        "closed": ("lead_user", "anna", at("10:00")),
        "run out": ("system", None, at("10:00")),
    }
    for lead in leads.values():
        assert (lead["dials"], lead["attempts"], lead["contacts"], lead["attempt_dates"]) == (0, 0, 0, [])
        assert (lead["first_dial_at"], lead["cohort_date"], lead["first_dial_campaign_id"]) == (None, None, None)
        assert lead["org_path"] == lead["org_names"] == lead["first_dial_path"] == lead["first_dial_names"] == []
    assert each(leads, "attempts_to_close") == {"open": None, "closed": 0, "run out": 0}


def test_it_is_known_through_the_run_of_complete_days_from_its_first_dial():
    leads = leads_of(
        [call(at("10:00", n), f"dialled on day {n}") for n in range(6)] + [call(at("10:00"), "no version")],
        [opened(at("09:00", n), f"dialled on day {n}") for n in range(6)] + [opened(at("10:00"), "no dial")],
        complete=[*span(0, 2), *span(4, 4)],
    )
    assert each(leads, "known_through") == {
        "dialled on day 0": day(2),
        "dialled on day 1": day(2),
        "dialled on day 2": day(2),
        "dialled on day 3": None,
        "dialled on day 4": day(4),
        "dialled on day 5": None,
        "no version": None,
        "no dial": None,
    }


# -- versions --------------------------------------------------------------------------------------------------------


def test_t23_which_statuses_close_a_lead():
    closed = {"UserProcessed", "Depleted", "Abandoned", "Failed", "Expired", "Removed", "Anonymized", "DoNotCall",
              "GlobalDoNotCall"}  # fmt: skip
    statuses = [*(status.name for status in LeadStatus), "Parked", "userprocessed", None]
    leads = leads_of([], [version(at("10:00"), f"{status}", status, closure="Maybe") for status in statuses])
    assert {lead for lead, row in leads.items() if row["closed_at"]} == closed
    assert {lead for lead, row in leads.items() if row["attribution"] != "open"} == closed
    assert each(leads, "status") == {f"{status}": status for status in statuses}
    assert {row["closure"] for row in leads.values()} == {"Maybe"}


def test_t23_a_status_that_is_not_documented_opens_a_lead_anew():
    rows = [version(at("10:00")), version(at("11:00"), status="Parked", closure="Odd")]
    lead = leads_of([closing(at("09:50"))], rows)["lead"]
    assert (lead["status"], lead["closure"], lead["attribution"]) == ("Parked", "Odd", "open")
    lead = leads_of([closing(at("09:50"))], [*rows, version(at("12:00"))])["lead"]
    assert (lead["attribution"], lead["closed_at"]) == ("last_contact", at("12:00"))


def test_t12_a_lead_that_is_open_again_has_no_closing():
    lead = leads_of(
        [closing(at("09:50"))], [version(at("10:00")), opened(at("11:00"), campaign_id="C2", campaign_code="Two")]
    )["lead"]
    none = ("closed_at", "closed_date", "closing_call_id", "agent", "credited_incoming", "attempts_to_close")
    assert [lead[name] for name in none] == [None] * len(none)
    assert (lead["status"], lead["closure"], lead["attribution"]) == ("RedialManualPrivate", "NotSet", "open")
    assert (lead["campaign_id"], lead["campaign_code"], lead["org_path"]) == ("C2", "Two", [])
    assert (lead["contacts"], lead["attempts"], lead["versions"]) == (1, 1, 2)


def test_t11_a_later_edit_moves_nothing_but_what_was_decided():
    lead = leads_of(
        [closing(at("09:50"), ended_at=at("09:58"))],
        [
            version(at("10:00")),
            version(at("10:00", 3), closure="NotInterested", campaign_id="C2", campaign_code="Two", last_modified_by="office"),
        ],
    )["lead"]  # fmt: skip
    assert (lead["closed_at"], lead["attribution"], lead["agent"]) == (at("09:58"), "closing_call", "anna")
    assert (lead["closure"], lead["campaign_id"], lead["campaign_code"]) == ("NotInterested", "C2", "Two")


def test_t12_a_re_opened_lead_is_closed_when_it_is_closed_anew():
    lead = leads_of([], [version(at("10:00")), opened(at("11:00")), version(at("12:00")), version(at("13:00"))])["lead"]
    assert (lead["closed_at"], lead["versions"]) == (at("12:00"), 4)


def test_a_success_stays_one_when_the_lead_is_withdrawn_or_erased():
    withdrawn = ("Removed", "Anonymized", "DoNotCall", "GlobalDoNotCall")
    emptied = {"closure": "NotSet", "campaign_id": None, "campaign_code": None}
    leads = leads_of(
        [closing(at("09:50"), status, ended_at=at("09:58")) for status in withdrawn],
        [
            row
            for status in withdrawn
            for row in (
                version(at("10:00"), status),
                version(at("10:00", 5), status, "Removed", **emptied),
                version(at("10:00", 9), status, status, **emptied),
            )
        ],
    )
    assert each(
        leads, "status", "closure", "campaign_id", "campaign_code", "closed_at", "attribution", "agent", "erased"
    ) == {
        status: (status, "Success", "C1", "One", at("09:58"), "closing_call", "anna", status == "Anonymized")
        for status in withdrawn
    }


def test_erased_once_is_erased_for_ever():
    rows = [version(at("10:00"), status="Anonymized"), version(at("11:00"), status="Removed")]
    assert leads_of([], rows)["lead"]["erased"]
    assert leads_of([], [*rows, opened(at("12:00"))])["lead"]["erased"]


def test_of_a_lead_that_was_only_withdrawn_the_last_version_tells():
    calls = [row for lead in ("never open", "open before", "success before") for row in [closing(at("09:50"), lead)]]
    withdrawn = [
        version(at("10:00", n), lead, status, closure=closure, campaign_id=campaign)
        for lead in ("never open", "open before", "success before")
        for n, status, closure, campaign in (
            (0, "DoNotCall", "NotInterested", "C1"),
            (1, "Removed", "Unqualified", "C2"),
        )
    ]
    before = [
        opened(at("09:00"), "open before"),
        version(at("08:00"), "success before"),
        opened(at("09:00"), "success before"),
    ]
    leads = leads_of(calls, withdrawn + before)
    columns = ("status", "closure", "campaign_id", "closed_at", "attribution", "agent", "closing_call_id")
    told = ("Removed", "Unqualified", "C2", at("10:00"), "system", None, None)
    assert each(leads, *columns) == dict.fromkeys(leads, told)


def test_what_was_decided_between_two_withdrawals_counts():
    lead = leads_of(
        [closing(at("10:50"))],
        [version(at("10:00"), status="DoNotCall"), version(at("11:00")), version(at("12:00"), status="Removed")],
    )["lead"]
    assert (lead["closure"], lead["status"]) == ("Success", "Removed")
    # it was closed before the call
    assert (lead["closed_at"], lead["attribution"], lead["agent"]) == (at("10:00"), "lead_user", "anna")


@pytest.mark.parametrize("seen_later_first", [False, True])
def test_a_version_that_is_seen_with_other_content_is_what_was_seen_last(seen_later_first):
    early, late = at("12:00", 1), at("12:00", 2)
    rows = [
        version(at("10:00"), observed_at=early, closure="Unqualified", campaign_id="C2", first_processed_by="zoe"),
        version(at("10:00"), observed_at=late, closure="NotInterested", campaign_id="C1", first_processed_by="bo"),
        version(at("10:00"), "success", observed_at=late, uploaded_at=at("08:00", -5)),
        version(at("10:00"), "success", observed_at=early, uploaded_at=at("08:00", -1)),
        version(at("10:00"), "decided", observed_at=early, closure="Unqualified"),
        version(at("10:00"), "decided", observed_at=late, closure="InvalidLead"),
        version(at("10:00", 1), "decided", "Removed"),
    ]
    leads = leads_of([], rows[::-1] if seen_later_first else rows)
    assert each(leads, "closure", "campaign_id", "agent", "versions") == {
        "lead": ("NotInterested", "C1", "bo", 1),
        "success": ("Success", "C1", "anna", 1),
        "decided": ("InvalidLead", "C1", "anna", 2),
    }
    assert leads["success"]["uploaded_at"] == at("08:00", -5)


@pytest.mark.parametrize("seen_later_first", [False, True])
def test_a_version_that_is_seen_open_and_then_closed_is_closed(seen_later_first):
    early, late = at("12:00", 1), at("12:00", 2)
    rows = [
        opened(at("10:00"), "closed", observed_at=early),
        version(at("10:00"), "closed", observed_at=late),
        version(at("10:00"), "open", observed_at=early),
        opened(at("10:00"), "open", observed_at=late),
    ]
    leads = leads_of([], rows[::-1] if seen_later_first else rows)
    assert each(leads, "status", "closed_at", "attribution") == {
        "closed": ("UserProcessed", at("10:00"), "lead_user"),
        "open": ("RedialManualPrivate", None, "open"),
    }


def test_t11_a_lead_that_was_never_seen_open_was_closed_when_an_agent_first_closed_it():
    long_ago, seen = at("15:00", -20), at("10:00")
    closed_then = {"first_processed_at": long_ago}
    leads = leads_of(
        [contact(at("09:50"), "reached the day before"), closing(at("14:50", -20), "by a call, seen late")],
        [
            version(seen, "an edit", **closed_then),
            version(seen, "nobody says when"),
            version(seen, "when is later", first_processed_at=at("11:00")),
            opened(at("09:00"), "seen open", **closed_then), version(seen, "seen open", **closed_then),
            opened(at("09:00"), "withdrawn, seen open"), version(seen, "withdrawn, seen open", "Removed", **closed_then),
            version(seen, "withdrawn", "Removed", **closed_then),
            version(seen, "withdrawn after", **closed_then), version(at("11:00"), "withdrawn after", "Removed"),
            *(version(seen, status, status, **closed_then) for status in ("Depleted", "Abandoned", "Failed", "Expired")),
            version(seen, "reached the day before", **closed_then),
            version(seen, "by a call, seen late", **closed_then),
        ],
    )  # fmt: skip
    assert each(leads, "closed_at", "attribution") == {
        "an edit": (long_ago, "lead_user"),
        "nobody says when": (seen, "lead_user"),
        "when is later": (seen, "lead_user"),
        "seen open": (seen, "lead_user"),
        "withdrawn, seen open": (seen, "system"),
        "withdrawn": (long_ago, "system"),
        "withdrawn after": (long_ago, "lead_user"),
        "Depleted": (seen, "system"),
        "Abandoned": (seen, "system"),
        "Failed": (seen, "system"),
        "Expired": (seen, "system"),
        "reached the day before": (seen, "last_contact"),
        "by a call, seen late": (at("14:51", -20), "closing_call"),
    }
    assert leads["an edit"]["closed_date"] == day(-20)


# -- whom a closing is credited to -----------------------------------------------------------------------------------


def test_t28_t29_which_calls_close_a_lead():
    cases: dict[str, dict[str, object]] = {
        "by its status": {"call_status": "UserProcessed", "lead_closure": "Success"},
        "by its status, whatever the closure": {"call_status": "UserProcessed", "lead_closure": "NotSet"},
        "by its status, no closure": {"call_status": "UserProcessed", "lead_closure": None},
        "by its closure, without a status": {"call_status": None, "lead_closure": "NotInterested"},
        "by an odd closure, without a status": {"call_status": None, "lead_closure": "Odd"},
        "no status, closure not set": {"call_status": None, "lead_closure": "NotSet"},
        "no status, no closure": {"call_status": None, "lead_closure": None},
        "a redial, with a closure": {"call_status": "RedialManualPrivate", "lead_closure": "Success"},
        "status not set, with a closure": {"call_status": "NotSet", "lead_closure": "Success"},
        "an odd status": {"call_status": "Parked", "lead_closure": "Success"},
        "abandoned": {"call_status": "Abandoned", "lead_closure": "Success"},
        "no contact": {"call_status": "UserProcessed", "lead_closure": "Success", "end_cause": "NoResponse"},
        "an odd end": {"call_status": "UserProcessed", "lead_closure": "Success", "end_cause": "Odd"},
        "no end cause": {"call_status": "UserProcessed", "lead_closure": "Success", "end_cause": None},
    }
    leads = leads_of(
        [contact(at("09:50"), lead, **columns) for lead, columns in cases.items()],
        [version(at("10:00"), lead) for lead in cases],
    )
    assert each(leads, "attribution") == {
        "by its status": "closing_call",
        "by its status, whatever the closure": "closing_call",
        "by its status, no closure": "closing_call",
        "by its closure, without a status": "closing_call",
        "by an odd closure, without a status": "closing_call",
        "no status, closure not set": "last_contact",
        "no status, no closure": "last_contact",
        "a redial, with a closure": "last_contact",
        "status not set, with a closure": "last_contact",
        "an odd status": "last_contact",
        "abandoned": "last_contact",
        "no contact": "lead_user",
        "an odd end": "lead_user",
        "no end cause": "lead_user",
    }
    found = each(leads, "closing_call_id", "closed_at")
    assert found["by its status"] == ("by its status at 02 08:50:00", at("09:51"))
    assert found["abandoned"] == found["no contact"] == (None, at("10:00"))


def test_t29_a_closure_on_the_call_that_is_todays_changes_nothing():
    def told(historic: bool) -> dict[str, Row]:
        closures = ["NotSet", "NotSet", "Success"] if historic else ["NotInterested"] * 3
        statuses = ["RedialAutomatic", "RedialManualPrivate", "UserProcessed"]
        return leads_of(
            [
                contact(at("10:00", n), lead, lead_closure=closure, call_status=status)
                for lead in ("closed by a call", "open again", "closed after it")
                for n, (closure, status) in enumerate(zip(closures, statuses, strict=True))
                if (lead, n) != ("closed after it", 2)
            ],
            [
                version(at("10:05", 2), "closed by a call", closure="NotInterested"),
                version(at("10:05", 2), "open again"),
                opened(at("12:00", 2), "open again"),
                version(at("10:05", 1), "closed after it", closure="NotInterested"),
            ],
        )

    leads = told(historic=True)
    assert told(historic=False) == leads
    assert each(leads, "attribution") == {
        "closed by a call": "closing_call",
        "open again": "open",
        "closed after it": "last_contact",
    }


def test_t12_a_closing_call_ends_after_the_lead_was_last_open():
    start, end = at("09:50"), at("10:00")
    cases = {  # when the lead was last open, and the end of the call
        "open before the call": (at("09:00"), end),
        "edited during the call": (at("09:55"), end),
        "edited as it ended": (end, end),
        "re-opened after the call": (end + HAIR, end),
        "without an end, open at its start": (start, None),
        "without an end, open after its start": (start + HAIR, None),
    }
    leads = leads_of(
        [closing(start, lead, ended_at=ended) for lead, (_, ended) in cases.items()] + [closing(start, "never open")],
        [opened(since, lead) for lead, (since, _) in cases.items()]
        + [version(at("09:00"), lead) for lead in cases]
        + [version(at("10:10"), lead) for lead in [*cases, "never open"]],
    )
    assert each(leads, "attribution", "closed_at") == {
        "open before the call": ("closing_call", end),
        "edited during the call": ("closing_call", end),
        "edited as it ended": ("closing_call", end),
        "re-opened after the call": ("last_contact", at("10:10")),
        "without an end, open at its start": ("closing_call", at("10:10")),
        "without an end, open after its start": ("last_contact", at("10:10")),
        "never open": ("closing_call", at("09:51")),
    }


def test_t28_a_call_after_the_lead_was_closed_is_never_credited():
    first_closed = at("10:00")
    starts = {"before": first_closed - HAIR, "as it was closed": first_closed, "after": first_closed + HAIR}
    closings = [closing(start, lead, agent="bo") for lead, start in starts.items()]
    contacts = [contact(start, f"{lead}, no closing call", agent="bo") for lead, start in starts.items()]
    edits = [version(when, row["lead_id"]) for row in closings + contacts for when in (first_closed, at("12:00"))]
    leads = leads_of(closings + contacts, edits)
    assert each(leads, "attribution", "agent") == {
        "before": ("closing_call", "bo"),
        "as it was closed": ("closing_call", "bo"),
        "after": ("lead_user", "anna"),
        "before, no closing call": ("last_contact", "bo"),
        "as it was closed, no closing call": ("last_contact", "bo"),
        "after, no closing call": ("lead_user", "anna"),
    }
    assert leads["after"]["closed_at"] == first_closed


def test_t28_of_several_closing_calls_it_is_the_last():
    early, late = {"agent": "anna", "org_path": SOUTH}, {"agent": "bo", "org_path": NORTH}
    leads = leads_of(
        [
            closing(at("09:00"), "one after the other", **early), closing(at("09:30"), "one after the other", **late),
            closing(at("09:00"), "at once", call_id="b", **late), closing(at("09:00"), "at once", call_id="a", **early),
            closing(at("09:00", -3), "days before", **late), contact(at("09:30"), "days before", **early),
        ],
        [version(at("10:00"), lead) for lead in ("one after the other", "at once", "days before")],
    )  # fmt: skip
    assert each(leads, "attribution", "agent", "org_path", "org_names") == dict.fromkeys(
        leads, ("closing_call", "bo", NORTH, ["Team Root", "Team North"])
    )
    assert each(leads, "closing_call_id", "closed_at") == {
        "one after the other": ("one after the other at 02 08:30:00", at("09:31")),
        "at once": ("b", at("09:01")),
        "days before": ("days before at 27 08:00:00", at("09:01", -3)),
    }


@pytest.mark.parametrize(
    "closed",
    [
        pytest.param(at("12:00"), id="any day"),
        pytest.param(dt.datetime(2026, 3, 29, 10, tzinfo=dt.UTC), id="T7, the day of 23 hours"),
        pytest.param(dt.datetime(2026, 10, 25, 11, tzinfo=dt.UTC), id="T7, the day of 25 hours"),
    ],
)
def test_t28_the_last_contact_is_within_24_hours(closed):
    leads = leads_of(
        [
            contact(after(closed, hours=-24), "exactly 24 hours"),
            contact(after(closed, hours=-24) - HAIR, "a hair more"),
            contact(after(closed, hours=-23.5), "23.5 hours"),
            contact(after(closed, hours=-25), "25 hours"),
            contact(after(closed, hours=-24), "the last of two"),
            contact(after(closed, hours=-2), "the last of two", agent="bo"),
            contact(after(closed, hours=-2), "the last of two at once", call_id="b", agent="bo"),
            contact(after(closed, hours=-2), "the last of two at once", call_id="a"),
            call(after(closed, hours=-2), "not reached"),
        ],
        [
            version(closed, lead, first_processed_by="office")
            for lead in ("exactly 24 hours", "a hair more", "23.5 hours", "25 hours", "the last of two",
                         "the last of two at once", "not reached")
        ],
    )  # fmt: skip
    assert each(leads, "attribution", "agent") == {
        "exactly 24 hours": ("last_contact", "anna"),
        "a hair more": ("lead_user", "office"),
        "23.5 hours": ("last_contact", "anna"),
        "25 hours": ("lead_user", "office"),
        "the last of two": ("last_contact", "bo"),
        "the last of two at once": ("last_contact", "bo"),
        "not reached": ("lead_user", "office"),
    }
    assert all(row["closed_at"] == closed and row["closing_call_id"] is None for row in leads.values())


def test_t28_a_back_office_edit_after_the_call_takes_no_credit():
    office = {"first_processed_by": "office", "last_modified_by": "office"}
    leads = leads_of(
        [closing(at("09:50"), "edited"), contact(at("09:50"), "closed by the office")],
        [
            version(at("09:52"), "edited"),
            version(at("10:00", 2), "edited", **office),
            version(at("10:00"), "closed by the office", **office),
        ],
    )
    assert each(leads, "attribution", "agent", "org_path", "closed_date") == {
        "edited": ("closing_call", "anna", SOUTH, DAY),
        "closed by the office": ("last_contact", "anna", SOUTH, DAY),
    }


def test_t28_a_partner_who_takes_a_lead_over_is_credited_not_who_worked_it_first():
    partner = {"agent": "bo", "org_path": NORTH}
    leads = leads_of(
        [
            contact(at("09:00"), "taken over"), closing(at("11:00"), "taken over", **partner),
            closing(at("09:00"), "closed by both"), closing(at("11:00"), "closed by both", **partner),
        ],
        [
            opened(at("09:02"), "taken over"), version(at("11:02"), "taken over", last_modified_by="bo"),
            version(at("09:02"), "closed by both"), opened(at("10:00"), "closed by both"),
            version(at("11:02"), "closed by both", last_modified_by="bo"),  # and first_processed_by is anna still
        ],
    )  # fmt: skip
    assert each(leads, "attribution", "agent", "org_path", "closed_at", "attempts_to_close") == dict.fromkeys(
        leads, ("closing_call", "bo", NORTH, at("11:01"), 2)
    )
    assert {row["first_dial_path"][-1] for row in leads.values()} == {"South"}


def test_t28_a_lead_closed_without_a_call_is_its_users_and_of_no_unit():
    leads = leads_of(
        [call(at("09:00"), "who closed it first"), contact(at("09:00", -2), "who changed it last")],
        [
            version(at("10:00"), "who closed it first", first_processed_by="office", last_modified_by="bo"),
            version(at("10:00"), "who changed it last", first_processed_by=None, last_modified_by="bo"),
            version(at("10:00"), "nobody", first_processed_by=None, last_modified_by=None),
            version(at("10:00"), "withdrawn by another", first_processed_by="office"),
            version(at("11:00"), "withdrawn by another", "Removed", last_modified_by="bo"),
        ],
    )
    assert each(leads, "attribution", "agent") == {
        "who closed it first": ("lead_user", "office"),
        "who changed it last": ("lead_user", "bo"),
        "nobody": ("system", None),
        "withdrawn by another": ("lead_user", "office"),
    }
    for lead in leads.values():
        assert (lead["org_path"], lead["org_names"], lead["credited_incoming"]) == ([], [], None)


def test_t28_t37_what_the_system_closes_is_nobodys():
    statuses = ("Depleted", "Abandoned", "Failed", "Expired")
    user = {"first_processed_by": "anna", "last_modified_by": "anna"}
    leads = leads_of(
        [closing(at("09:50"), status) for status in statuses],
        [version(at("09:00"), status, "New", **user) for status in statuses]
        + [version(at("10:00"), status, status, **user) for status in statuses],
    )
    columns = (
        "closure",
        "closed_at",
        "attribution",
        "agent",
        "closing_call_id",
        "org_path",
        "contacts",
        "attempts_to_close",
    )
    told = ("NotSet", at("10:00"), "system", None, None, [], 1, 1)
    assert each(leads, *columns) == dict.fromkeys(statuses, told)


def test_t22_an_incoming_contact_is_credited_and_is_no_dial():
    leads = leads_of(
        [
            closing(at("09:50"), "closing", incoming=True, agent="bo"),
            contact(at("09:50"), "last contact", incoming=True, agent="bo"),
            call(at("09:40"), "dialled before"), closing(at("09:50"), "dialled before", incoming=True, agent="bo"),
            closing(at("09:50"), "outbound"),
        ],
        [version(at("10:00"), lead) for lead in ("closing", "last contact", "dialled before", "outbound")],
    )  # fmt: skip
    assert each(leads, "attribution", "agent", "credited_incoming", "dials", "contacts", "attempts_to_close") == {
        "closing": ("closing_call", "bo", True, 0, 0, 0),
        "last contact": ("last_contact", "bo", True, 0, 0, 0),
        "dialled before": ("closing_call", "bo", True, 1, 0, 1),
        "outbound": ("closing_call", "anna", False, 1, 1, 1),
    }


def test_t30a_a_credited_call_without_a_hierarchy():
    lead = leads_of([closing(at("09:50"), org_path=[], agent=None)], [version(at("10:00"))])["lead"]
    assert (lead["attribution"], lead["agent"], lead["org_path"], lead["org_names"]) == ("closing_call", None, [], [])
    assert lead["credited_incoming"] is False


def test_attempts_to_close_are_those_begun_until_then():
    leads = leads_of(
        [
            call(at("08:00"), "closing call"), call(at("08:30"), "closing call", call_status=ALTERNATIVE),
            closing(at("08:32"), "closing call", ended_at=at("08:40")), call(at("08:40"), "closing call"),
            call(at("08:40:01"), "closing call"), call(at("12:00", 1), "closing call"),
            call(at("08:00"), "by the office"), call(at("10:00"), "by the office"), call(at("10:00:01"), "by the office"),
            call(at("08:00"), "dialled only after"),
            call(at("09:59"), "continued after", call_status=ALTERNATIVE), call(at("10:02"), "continued after"),
        ],
        [version(at("08:41"), "closing call"), version(at("10:00"), "by the office"),
         version(at("07:00"), "dialled only after"), version(at("10:00"), "continued after")],
    )  # fmt: skip
    assert each(leads, "attempts", "attempts_to_close") == {
        "closing call": (5, 3),
        "by the office": (3, 2),
        "dialled only after": (1, 0),
        "continued after": (1, 1),
    }


# -- any leads -------------------------------------------------------------------------------------------------------

moment = st.integers(0, 60).map(lambda n: at("08:00") + dt.timedelta(minutes=n) * 5)  # so that many are at once
agent = st.sampled_from(["anna", "ANNA", "bo", None])
lead_id = st.sampled_from(["one", "two", "three"])
any_call = st.builds(
    lambda start, minutes, lead, incoming, cause, status, closure, agent, path: Call(
        id="", start=start, connect=None, end=None if minutes is None else start + dt.timedelta(minutes=minutes),
        connected=True, incoming=incoming, end_cause=cause, status=status, closure=closure, dialing_s=None,
        conversation_s=None, wrap_up_s=None, agent=agent, org_path=tuple(path), org_names=tuple(f"Team {c}" for c in path),
        campaign_id=f"C{len(path)}", campaign_code=f"Code {len(path)}", project="P", lead_id=lead, phone=None,
    ),
    moment, st.sampled_from([0, 5, 10, 30, None]), lead_id, st.sampled_from([False, False, True]),
    st.sampled_from([CallEndCause.NormalDisconnect, *CallEndCause]),
    st.sampled_from([CallStatus.UserProcessed, CallStatus.AlternativeNumberDialed, *CallStatus]),
    st.sampled_from(LeadClosure), agent, st.sampled_from([SOUTH, NORTH, []]),
)  # fmt: skip
any_version = st.builds(
    lambda modified, lead, status, closure, processed, first, last, campaign: Lead(
        id=lead, status=status, closure=closure, campaign_id=campaign, campaign_code=f"Code {campaign}", project="P",
        uploaded=after(modified, days=-9), uploaded_by=None, first_processed=processed, first_processed_by=first,
        last_modified=modified, last_modified_by=last, versions=1, erased=False,
    ),
    moment, lead_id, st.sampled_from([LeadStatus.UserProcessed] * 8 + [LeadStatus.Removed] * 3 + list(LeadStatus)),
    st.sampled_from(LeadClosure), st.none() | moment, agent, agent, st.sampled_from(["C1", "C2"]),
)  # fmt: skip


def as_told(calls: list[Call], versions: list[Lead]) -> tuple[list[Row], list[Row]]:
    """The rows that tell of calls and versions of a world."""
    told = [
        call(
            c.start, c.lead_id, call_id=c.id, ended_at=c.end, end_cause=c.end_cause.name, call_status=c.status.name,
            lead_closure=c.closure.name, incoming=c.incoming, agent=c.agent, org_path=list(c.org_path),
            campaign_id=c.campaign_id, campaign_code=c.campaign_code,
        )
        for c in calls
    ]  # fmt: skip
    return told, [
        version(
            v.last_modified, v.id, v.status.name, closure=v.closure.name, campaign_id=v.campaign_id,
            campaign_code=v.campaign_code, uploaded_at=v.uploaded, first_processed_at=v.first_processed,
            first_processed_by=v.first_processed_by, last_modified_by=v.last_modified_by,
        )
        for v in versions
    ]  # fmt: skip


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(any_call, max_size=20), st.lists(any_version, max_size=12, unique_by=lambda v: (v.id, v.last_modified)))
def test_any_leads_are_as_computed_again(calls, versions):
    calls = [replace(call, id=f"{n:02}") for n, call in enumerate(calls)]
    seen = second.Seen(ZONE, calls={DAY: calls}, leads_pulled={DAY: at("23:30", 40)})
    for lead in versions:
        seen.versions[lead.id][lead.last_modified] = lead
        seen.leads_pulled[seen.day(lead.last_modified)] = at("23:30", 40)
    found = leads_of(*as_told(calls, versions))
    expected = {row["lead_id"]: row for row in second.leads(seen)}
    assert found.keys() == expected.keys()
    for lead, row in expected.items():
        assert {name: tuple(v) if isinstance(v := found[lead][name], list) else v for name in row} == row


sighting = st.builds(
    version, moment, lead_id, st.sampled_from(["UserProcessed", "Removed", "New"]), last_modified_by=agent,
    first_processed_by=st.sampled_from(["anna", None]), observed_at=st.sampled_from([at("12:00", 1), at("12:00", 2)]),
)  # fmt: skip
leg = st.builds(
    call, moment, lead_id, end_cause=st.sampled_from(["NormalDisconnect", "DroppedCall"]), agent=agent,
    call_status=st.sampled_from(["UserProcessed", ALTERNATIVE, None]), org_path=st.sampled_from([SOUTH, NORTH]),
)  # fmt: skip


@st.composite
def two_orders(draw: st.DrawFn) -> tuple[tuple[list[Row], list[Row]], tuple[list[Row], list[Row]]]:
    """Calls and sightings of versions, in two orders."""
    calls = [row | {"call_id": f"{n:02}"} for n, row in enumerate(draw(st.lists(leg, min_size=2, max_size=15)))]
    versions = draw(st.lists(sighting, min_size=2, max_size=15))
    return (calls, versions), (draw(st.permutations(calls)), draw(st.permutations(versions)))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(two_orders())
def test_the_order_of_the_rows_does_not_matter(orders):
    one, other = orders
    assert leads_of(*one) == leads_of(*other)
