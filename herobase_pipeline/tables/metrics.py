"""The registry of metrics: each is declared once; from it come the rate views, ``metrics``, the docs and the UI's texts.

Definitions: reference, domain.md section 2.3. A rate is two sums that are divided last (trap T30), so a metric may be
rolled up over any rows of its basis within one level of the hierarchy.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from herobase_pipeline.enums import LeadClosure
from herobase_pipeline.tables.schema import of


class Unit(StrEnum):
    """What a rate is in. A share is of things that each count once, so that it has an interval."""

    SHARE = "share"
    SECONDS = "seconds"
    PER_HOUR = "per hour"
    ATTEMPTS = "attempts per lead"


@dataclass(frozen=True)
class Basis:
    """The counts that some metrics are made of.

    Attributes:
        found_in: the view or table that gives the rates.
        source: the SQL of the counts: a table, or several put together.
        day: the column of the day.
        of_day: what day that is.
        keys: what else a rate is given for, by name: its SQL over the source.
        grain: day and keys in words.
        lacking: on a day of which only the calls or only the leads are loaded, what is not, in SQL over ``loaded_days``; else
            NULL. There is no rate then, as it would be one of what happens to be known. Empty: it has one side only.
        blank_until_mature: the rate is NULL while it is not mature, as it would look low only for being young (T36).
        computed: what the columns that the source computes are made from, by name (see ``Column.made_from``); and by ``*``,
            what decides which of its rows are counted.
        like: another basis whose counts it has too, so that its metrics are the same.

    """

    found_in: str
    source: str
    day: str
    of_day: str
    keys: dict[str, str]
    grain: str
    lacking: str = ""
    blank_until_mature: bool = False
    computed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    like: "Basis | None" = None


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: its name; never changes its meaning without a new ``version``.
        basis: the counts it is made of; None where a table of its own holds it.
        numerator: in SQL over the counts.
        denominator: in SQL over the counts.
        numerator_words: the numerator in words.
        denominator_words: the denominator in words.
        unit: what the rate is in.
        caveat: what one has to know before one quotes it.
        shares: for a mix, the category that each numerator is of, and the condition for it; empty for a single rate.
        version: of the definition (trap T40).

    """

    name: str
    basis: Basis
    numerator: str
    denominator: str
    numerator_words: str
    denominator_words: str
    unit: Unit = Unit.SHARE
    caveat: str = ""
    shares: tuple[tuple[str, str], ...] = ()
    version: int = 1


_NODE = {"org_level": "org_level", "node": "lower(org_key)", "campaign_id": "campaign_id"}
_BY_NODE = "day, org node, campaign"

CALLS = Basis("outcome_rates", "call_outcomes", "date", "local day of the call's start", _NODE, _BY_NODE)
HOURS = replace(
    CALLS,
    found_in="hour_rates",
    source="call_hours",
    keys={**_NODE, "hour": "hour"},
    grain="day, hour, org node, campaign",
    like=CALLS,
)
CLOSINGS = Basis(
    "conversion_rates",
    "lead_conversion",
    "closed_date",
    "local day of closing",
    _NODE,
    _BY_NODE,
    "lacking",
)
_EITHER_DAY = of("call_outcomes", "date") + of("lead_conversion", "closed_date")
_ONE_SIDED = "coalesce(lacking, CASE WHEN NOT outcomes_loaded THEN 'calls' END)"
# a day of which only the calls or only the closings are known has no yield
YIELD = Basis(
    "conversion_rates",
    """(
    SELECT
        * EXCLUDE (is_mature),
        is_mature AND coalesce(outcomes_known AND closings_known, false) AS is_mature
    FROM (
        SELECT * FROM call_outcomes
        UNION ALL BY NAME
        SELECT * EXCLUDE (closed_date), closed_date AS date FROM lead_conversion
    )
    LEFT JOIN known_days ON known_days.day = date
)""",
    "date",
    "local day of the calls, and of the closings",
    _NODE,
    _BY_NODE,
    _ONE_SIDED,
    computed={
        "date": _EITHER_DAY,
        "is_mature": _EITHER_DAY
        + of("call_outcomes", "is_mature")
        + of("lead_conversion", "is_mature")
        + of("known_days", "day outcomes_known closings_known"),
    },
)
AGENTS = Basis(
    "agent_rates",
    "agent_days",
    "date",
    "local day of the calls, and of the closings",
    {name: name for name in ("agent", "org_path", "org_key", "org_names", "org_code", "org_name", "campaign_id")},
    "day, agent, org path, campaign",
    _ONE_SIDED,
)
AGENT_CALLS = replace(AGENTS, lacking="CASE WHEN NOT outcomes_loaded THEN 'calls' END")
COHORTS = Basis(
    "cohort_rates",
    "lead_cohorts",
    "cohort_date",
    "local day of the lead's first dial",
    {**_NODE, "age_days": "age_days"},
    "first-dial day, org node, campaign, age in days",
    blank_until_mature=True,
)
POOLS = Basis(
    "pool_rates",
    """(
    SELECT
        *,
        dials = 0 AND status IN ('Removed', 'Anonymized', 'DoNotCall', 'GlobalDoNotCall') AS is_scrubbed,
        NULL::BOOLEAN AS is_mature  -- a pool is never done
    FROM leads
    WHERE versions > 0
)""",
    "uploaded_date",
    "local day of the lead's upload",
    {"campaign_id": "campaign_id"},
    "upload day, campaign",
    "CASE WHEN lacking = 'leads' THEN 'leads' END",
    computed={"*": of("leads", "versions"), "is_scrubbed": of("leads", "dials status"), "is_mature": ()},
)
DROPS = Basis(
    "drop_rates",
    "drop_rates",
    "window_start",
    "local days of the calls' start, in the windows of a rule",
    {"regime": "regime", "campaign_id": "campaign_id"},
    "regime, campaign, window",
)

BASES = (CALLS, HOURS, CLOSINGS, YIELD, AGENT_CALLS, AGENTS, COHORTS, POOLS, DROPS)

_CAUSES = "'NormalDisconnect', 'NoResponse', 'Busy', 'VoiceMail', 'DroppedCall'"  # of completed dials
_COMPLETED = f"sum(settled_dials) FILTER (end_cause IN ({_CAUSES}))"
_DECIDED = f"sum(settled_dials) FILTER (end_cause IN ({_CAUSES}, 'DialingCancelled'))"
# for a mix: (category, its condition)
_END_CAUSES = tuple(
    (cause, f"end_cause = '{cause}'") for cause in [*_CAUSES.replace("'", "").split(", "), "DialingCancelled"]
)
_CLOSURES = (
    *((closure.name, f"closure = '{closure.name}'") for closure in LeadClosure),
    ("(undocumented)", f"coalesce(closure NOT IN ({', '.join(repr(closure.name) for closure in LeadClosure)}), true)"),
)
_CONTACTS = "sum(settled_dials) FILTER (end_cause = 'NormalDisconnect')"
_SALES = "sum(outbound) FILTER (closure = 'Success')"
_BY_AGENT = "leads - by_system"

_COMPLETED_WORDS = "settled dials that were not cancelled, with a documented end cause"
_CONTACTS_WORDS = "settled dials that reached a person (NormalDisconnect)"
_SALES_WORDS = "leads closed with Success and credited to an outbound call"
_NO_TEAM = "Dropped calls have no agent, so a team's rate has them neither in its numerator nor in its denominator."  # trap T30a
_TRANSFERS = (
    "A transfer leg is in the team of who received it, its contact in that of who dialled: a team that receives many has few "
    "contacts under its seconds."
)
_FIRST_SEEN = (
    "The first dial that is loaded: on the first days of the lake, leads that were dialled before look new. A lead whose "
    "first dial was dropped is in no team."
)
_DEPENDENT = "Calls of one lead are not independent, so the interval is too narrow."
_OTHER_DAY = "The closings of the day over its calls: a lead called on several days is in the numerator once."
_POOL = "As of the last run. Leads that have not changed since the first day that is loaded are not known."
_AGENT_MARKED = "Voice mail is marked by agents, not all of them do."  # trap T20


def _handled(*parts: str, only_contacts: bool = True) -> str:
    condition = " FILTER (end_cause = 'NormalDisconnect')" if only_contacts else ""
    return " + ".join(f"coalesce(sum(handled_{part}_s){condition}, 0)" for part in parts)


def _hours(*parts: str) -> str:
    return f"({_handled(*parts, only_contacts=False)}) / 3600"


METRICS = (
    Metric(
        "answer_rate_per_dial", CALLS,
        "sum(settled_dials) FILTER (end_cause IN ('NormalDisconnect', 'DroppedCall'))", _COMPLETED,
        "settled dials that were answered (NormalDisconnect, DroppedCall)", _COMPLETED_WORDS,
        caveat=f"Whether a dropped call was a person is not known. {_NO_TEAM} {_DEPENDENT}",
    ),
    Metric(
        "contact_rate_per_dial", CALLS, _CONTACTS, _COMPLETED, _CONTACTS_WORDS, _COMPLETED_WORDS,
        caveat=f"Attempts, not people: contact_rate_per_lead is that of people. {_NO_TEAM} {_DEPENDENT}",
    ),
    Metric(
        "voicemail_rate_per_dial", CALLS, "sum(settled_dials) FILTER (end_cause = 'VoiceMail')", _DECIDED,
        "settled dials marked VoiceMail", "settled dials with a documented end cause, cancelled ones too",
        caveat=f"{_AGENT_MARKED} {_DEPENDENT}",
    ),
    Metric(
        "end_cause_mix", CALLS, "sum(settled_dials)", _DECIDED,
        "settled dials with the end cause", "settled dials with a documented end cause",
        caveat=f"Sums to 1 over the end causes. {_NO_TEAM}", shares=_END_CAUSES,
    ),
    Metric(
        "aht_talk_wrap", CALLS, _handled("talk", "wrap_up"), _CONTACTS,
        "seconds of talk and wrap-up of contacts, transfer legs included", _CONTACTS_WORDS, Unit.SECONDS,
        caveat=f"HeroBase gives no hold time. {_TRANSFERS}",
    ),
    Metric(
        "aht_incl_dialing", CALLS, _handled("dialing", "talk", "wrap_up"), _CONTACTS,
        "seconds of dialling, talk and wrap-up of contacts, transfer legs included", _CONTACTS_WORDS, Unit.SECONDS,
        caveat=f"Dialling that reached nobody is not in it. {_TRANSFERS}",
    ),
    Metric(
        "avg_talk", CALLS, _handled("talk"), _CONTACTS,
        "seconds of talk of contacts, transfer legs included", _CONTACTS_WORDS, Unit.SECONDS, caveat=_TRANSFERS,
    ),
    Metric(
        "avg_wrap", CALLS, _handled("wrap_up"), _CONTACTS,
        "seconds of wrap-up of contacts, transfer legs included", _CONTACTS_WORDS, Unit.SECONDS, caveat=_TRANSFERS,
    ),
    Metric(
        "conversion_per_lead_closed", CLOSINGS, f"sum({_BY_AGENT}) FILTER (closure = 'Success')", f"sum({_BY_AGENT})",
        "leads that a person closed with Success", "leads that a person closed",
        caveat="Leads that the system closed are not in it; a centre that lets leads run out looks better.",
    ),
    Metric(
        "conversion_net", CLOSINGS, "sum(leads) FILTER (closure = 'Success')",
        "sum(leads) FILTER (closure IN ('Success', 'NotInterested'))",
        "leads closed with Success", "leads closed with Success or NotInterested",
        caveat="Compare within one lead definition: what Unqualified and InvalidLead mean is the customer's choice.",
    ),
    Metric(
        "closure_mix", CLOSINGS, "sum(leads)", "sum(leads)",
        "leads closed with the closure", "closed leads, those that the system closed (NotSet) too",
        caveat="Sums to 1 over the closures. A team's has no NotSet, as the system has no team.",  # trap T37
        shares=_CLOSURES,
    ),
    Metric(
        "closed_by_call_share", CLOSINGS, "sum(by_closing_call)", "sum(leads)",
        "leads credited to the call that closed them", "closed leads",
    ),
    Metric(
        "closed_by_last_contact_share", CLOSINGS, "sum(by_last_contact)", "sum(leads)",
        "leads credited to the last contact within 24 hours before", "closed leads",
        caveat="The credit is a guess, if a good one.",  # trap T28
    ),
    Metric(
        "closed_outside_calls_share", CLOSINGS, "sum(by_lead_user)", "sum(leads)",
        "leads that a person closed outside a call", "closed leads", caveat="They are in no team.",
    ),
    Metric(
        "closed_by_system_share", CLOSINGS, "sum(by_system)", "sum(leads)",
        "leads that the system closed", "closed leads", caveat="They are in no team.",
    ),
    Metric(
        "attempts_to_success", CLOSINGS, "sum(attempts) FILTER (closure = 'Success')", _SALES,
        "attempts up to the closing call", _SALES_WORDS, Unit.ATTEMPTS,
        caveat="Of those that succeeded only; the attempts on all others are in attempts_per_lead.",
    ),
    Metric(
        "conversion_per_contact", YIELD, _SALES, _CONTACTS, _SALES_WORDS, _CONTACTS_WORDS,
        caveat=f"{_OTHER_DAY} {_DEPENDENT}",
    ),
    Metric(
        "conversion_per_dial", YIELD, _SALES, _COMPLETED, _SALES_WORDS, _COMPLETED_WORDS,
        caveat=f"{_OTHER_DAY} {_DEPENDENT}",
    ),
    Metric(
        "success_per_talk_hour", YIELD, _SALES, _hours("talk"),
        _SALES_WORDS, "hours of talk in settled outbound calls", Unit.PER_HOUR, caveat=_OTHER_DAY,
    ),
    Metric(
        "success_per_handled_hour", YIELD, _SALES,
        _hours("dialing", "talk", "wrap_up"),
        _SALES_WORDS, "hours of dialling, talk and wrap-up in settled outbound calls", Unit.PER_HOUR, caveat=_OTHER_DAY,
    ),
    Metric(
        "conversion_per_lead_worked", COHORTS, "sum(successes)", "sum(leads)",
        "leads closed with Success by this age", "leads first dialled on the day",
        caveat=f"Compare at equal age. The success may be another team's than that of the first dial. {_FIRST_SEEN}",
    ),
    Metric(
        "contact_rate_per_lead", COHORTS, "sum(contacted)", "sum(completed)",
        "leads reached by this age", "leads with a dial that was not cancelled by this age", caveat=_FIRST_SEEN,
    ),
    Metric(
        "rpc_rate_per_lead", COHORTS, "sum(rpc)", "sum(leads)",
        "leads closed by a call with Success or NotInterested by this age", "leads first dialled on the day",
        caveat=f"Right-party contact as far as closures tell. {_FIRST_SEEN}",
    ),
    Metric(
        "attempts_per_lead", COHORTS, "sum(attempts)", "sum(leads)",
        "attempts by this age", "leads first dialled on the day", Unit.ATTEMPTS,
        caveat=f"A mean; the distribution is in leads.attempts. {_FIRST_SEEN}",
    ),
    Metric(
        "penetration_gross", POOLS, "count(closed_at)", "count(*)", "leads closed until now", "leads uploaded",
        caveat=_POOL,
    ),
    Metric(
        "penetration_net", POOLS, "count(closed_at) FILTER (NOT is_scrubbed)", "count(*) FILTER (NOT is_scrubbed)",
        "leads closed until now, without those scrubbed", "leads uploaded, without those withdrawn before any dial",
        caveat=_POOL,
    ),
    Metric(
        "drop_rate_live_conservative", DROPS, "sum(dropped)", "sum(dropped + contacts)",
        "dials with DroppedCall", "dials with DroppedCall or NormalDisconnect",
        caveat="The upper bound: each drop counts as a person. Windows of 30 days begin with the first dial that is loaded.",
    ),
    Metric(
        "drop_rate_reasoned", DROPS, "sum(dropped)",
        "if(sum(contacts + voicemails) > 0, sum(dropped + contacts + voicemails), 0)",
        "dials with DroppedCall", "dials with DroppedCall, NormalDisconnect or VoiceMail",
        caveat=f"As many drops count as machines as answered calls were. {_AGENT_MARKED}",
    ),
)  # fmt: skip

_NAMED = {metric.name: metric for metric in METRICS}
BY_AGENT = tuple(
    replace(
        _NAMED[name],
        basis=AGENT_CALLS if _NAMED[name].basis is CALLS else AGENTS,
        numerator=numerator,
        denominator=denominator,
    )
    for name, numerator, denominator in (
        ("contact_rate_per_dial", "sum(contacts)", "sum(completed)"),
        ("aht_talk_wrap", "sum(contact_talk_s) + sum(contact_wrap_up_s)", "sum(contacts)"),
        ("avg_talk", "sum(contact_talk_s)", "sum(contacts)"),
        ("avg_wrap", "sum(contact_wrap_up_s)", "sum(contacts)"),
        ("conversion_per_lead_closed", "sum(successes)", "sum(closings)"),
        ("conversion_net", "sum(successes)", "sum(successes + not_interested)"),
        ("conversion_per_contact", "sum(outbound_successes)", "sum(contacts)"),
        ("conversion_per_dial", "sum(outbound_successes)", "sum(completed)"),
        ("success_per_talk_hour", "sum(outbound_successes)", _hours("talk")),
        ("success_per_handled_hour", "sum(outbound_successes)", _hours("dialing", "talk", "wrap_up")),
    )
)
"""The same metrics, counted from what agents did."""


def metrics_of(basis: Basis) -> list[Metric]:
    """Return the metrics that are made of some counts."""
    return [metric for metric in (*METRICS, *BY_AGENT) if metric.basis is (basis.like or basis)]


def found_in(name: str) -> list[str]:
    """Return the views and tables that give a metric, the first the one that it is declared for."""
    return list(dict.fromkeys(basis.found_in for basis in BASES for metric in metrics_of(basis) if metric.name == name))


def version(basis: Basis) -> int:
    """Return the version of a table's definition: that of its metric that was defined anew last."""
    return max(metric.version for metric in metrics_of(basis))
