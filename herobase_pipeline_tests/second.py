"""A second computation of the derived tables, in plain Python from the sandbox's world; it shares nothing with the SQL.

``observed`` makes what HeroBase would have answered; each function gives a table as rows (dicts). A row of a table by node
carries ``node`` (lower-cased codes) and ``spelled``, the (codes, name) that the node may be written with: those of its last
record, of several where these are equally late.
"""

import datetime as dt
import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from herobase_pipeline.enums import OPEN_LEAD_STATUSES, CallEndCause, CallStatus, LeadClosure, LeadStatus
from herobase_pipeline.partitions import day_bounds, local_day
from herobase_pipeline.sandbox.world.truth import Call, Lead
from herobase_pipeline.sandbox.world.world import World

Row = dict[str, Any]
DAY = dt.timedelta(days=1)
CONTACT = CallEndCause.NormalDisconnect
BY_THE_SYSTEM = {LeadStatus.Depleted, LeadStatus.Abandoned, LeadStatus.Failed, LeadStatus.Expired}
COMPLETED = (CONTACT, CallEndCause.NoResponse, CallEndCause.Busy, CallEndCause.VoiceMail, CallEndCause.DroppedCall)
DOCUMENTED = (*COMPLETED, CallEndCause.DialingCancelled)
WITHDRAWN = (LeadStatus.Removed, LeadStatus.Anonymized, LeadStatus.DoNotCall, LeadStatus.GlobalDoNotCall)
AGES = (*range(31), 60, 90)


@dataclass
class Seen:
    """What pulls have seen of a world. Complete days are those pulled when they had ended: calls, and all of both."""

    zone: ZoneInfo
    calls: dict[dt.date, list[Call]] = field(default_factory=dict)
    versions: dict[str, dict[dt.datetime, Lead]] = field(default_factory=lambda: defaultdict(dict))
    pulled: dict[dt.date, dt.datetime] = field(default_factory=dict)
    leads_pulled: dict[dt.date, dt.datetime] = field(default_factory=dict)
    complete_calls: set[dt.date] = field(default_factory=set)
    complete: set[dt.date] = field(default_factory=set)

    @property
    def all_calls(self) -> list[Call]:
        """Every call, in order."""
        return sorted((call for day in self.calls.values() for call in day), key=in_order)

    def day(self, instant: dt.datetime) -> dt.date:
        """The local day of an instant."""
        return local_day(instant, self.zone)

    def through(self, day: dt.date) -> dt.date:
        """The last day of the run of complete days that holds a complete day."""
        while day + DAY in self.complete:
            day += DAY
        return day

    def settled(self, call: Call) -> bool:
        """Whether a call's outcome was final when it was pulled."""
        final = call.end_cause is not CallEndCause.NotApplicable and call.status is not CallStatus.NotSet
        return final or self.pulled[self.day(call.start)] - call.start >= 8 * DAY


Pulls = Sequence[tuple[dt.date, dt.datetime]]


def observed(world: World, zone: ZoneInfo, pulls: Pulls, lead_pulls: Pulls | None = None) -> Seen:
    """Pull days one after the other: a later pull replaces a day's calls and adds to its lead versions.

    Leads are pulled with the calls unless ``lead_pulls`` says when they are.
    """
    seen = Seen(zone)
    for day, instant in pulls:
        bounds = day_bounds(day, zone)
        seen.calls[day] = list(world.calls(bounds.start, bounds.end, instant))
        seen.pulled[day] = instant
    for day, instant in pulls if lead_pulls is None else lead_pulls:
        bounds = day_bounds(day, zone)
        for lead in world.leads(instant, bounds.start, bounds.end):
            seen.versions[lead.id][lead.last_modified] = lead
        seen.leads_pulled[day] = instant
    seen.complete_calls = {day for day, instant in seen.pulled.items() if instant >= day_bounds(day, zone).end}
    complete_leads = {day for day, instant in seen.leads_pulled.items() if instant >= day_bounds(day, zone).end}
    seen.complete = seen.complete_calls & complete_leads
    return seen


def in_order(call: Call) -> tuple[dt.datetime, str]:
    """The order of calls: by start, then by id."""
    return call.start, call.id


def is_dial(call: Call) -> bool:
    """Whether a call is one that a dialler made: not incoming and not a transfer leg."""
    return not call.incoming and call.status is not CallStatus.Transferred


# -- leads -----------------------------------------------------------------------------------------------------------


def leads(seen: Seen) -> list[Row]:
    """One row a lead that has a version or a leg."""
    legs: dict[str, list[Call]] = defaultdict(list)
    for call in seen.all_calls:
        if call.lead_id is not None and call.status is not CallStatus.Transferred:
            legs[call.lead_id].append(call)
    return [_lead(seen, lead, legs.get(lead, [])) for lead in sorted(legs.keys() | seen.versions.keys())]


def _lead(seen: Seen, lead_id: str, legs: list[Call]) -> Row:
    """One lead, from its versions and its legs in order."""
    versions = [version for _, version in sorted(seen.versions.get(lead_id, {}).items())]
    dials = [call for call in legs if is_dial(call)]
    contacts = [call for call in dials if call.end_cause is CONTACT]
    completed = [call for call in dials if call.end_cause in COMPLETED]
    attempts = dials[:1] + [call for before, call in pairwise(dials) if not _continues(before, call)]
    current = versions[-1] if versions else None
    closing = _closing(versions, legs)
    if closing["attribution"] == "open" and not _is_known(seen, current, dials):
        closing["attribution"] = None
    shown = closing["decided"] or current or (legs[-1] if legs else None)
    first = dials[0] if dials else None
    closed_at = closing["closed_at"]
    return {
        "lead_id": lead_id,
        "status": current.status.name if current else None,
        "closure": shown.closure.name if current else None,
        "campaign_id": shown.campaign_id,
        "campaign_code": shown.campaign_code,
        "uploaded_at": current.uploaded if current else None,
        "uploaded_date": seen.day(current.uploaded) if current else None,
        "first_dial_at": first.start if first else None,
        "first_contact_at": contacts[0].start if contacts else None,
        "first_completed_at": completed[0].start if completed else None,
        "dials": len(dials),
        "attempts": len(attempts),
        "contacts": len(contacts),
        "closed_at": closed_at,
        "closed_date": seen.day(closed_at) if closed_at else None,
        **{name: closing[name] for name in ("closing_call_id", "attribution", "agent", "org_path", "org_names")},
        "credited_incoming": closing["credited_incoming"],
        "cohort_date": seen.day(first.start) if first else None,
        "known_through": _known_through(seen, first) if versions else None,
        "first_dial_path": first.org_path if first else (),
        "first_dial_names": first.org_names if first else (),
        "first_dial_campaign_id": first.campaign_id if first else None,
        "attempt_dates": tuple(seen.day(call.start) for call in attempts),
        "attempts_to_close": sum(call.start <= closed_at for call in attempts) if closed_at else None,
        "attempts_to_contact": sum(call.start <= contacts[0].start for call in attempts) if contacts else None,
        "versions": len(versions),
        "erased": any(version.status is LeadStatus.Anonymized for version in versions),
    }


def _is_known(seen: Seen, current: Lead | None, dials: Sequence[Call]) -> bool:
    """Whether a lead that seems open is: each dial makes a version, which is seen on a day whose leads are pulled."""
    if current is None:
        return False
    last = max((call.start for call in dials), default=current.last_modified)
    return last <= current.last_modified or seen.day(last) in seen.leads_pulled


def _known_through(seen: Seen, first: Call | None) -> dt.date | None:
    """The last day up to which a lead first dialled then is known."""
    day = seen.day(first.start) if first else None
    return seen.through(day) if day in seen.complete else None


def _continues(before: Call, call: Call) -> bool:
    """Whether a dial goes on with the attempt of the dial just before it."""
    if call.start - (before.end or before.start) > dt.timedelta(minutes=10):
        return False
    same_agent = before.agent is None or call.agent is None or before.agent.lower() == call.agent.lower()
    other_number = before.status is CallStatus.AlternativeNumberDialed and same_agent
    return before.end_cause is CallEndCause.DroppedCall or other_number


def _closing(versions: Sequence[Lead], legs: Sequence[Call]) -> Row:
    """When, how and by whom a lead was closed; ``versions`` and ``legs`` are in order."""
    found: Row = {
        "decided": None, "closed_at": None, "closing_call_id": None, "attribution": "open", "agent": None,
        "org_path": (), "org_names": (), "credited_incoming": None,
    }  # fmt: skip
    if not versions or versions[-1].status in OPEN_LEAD_STATUSES:
        return found
    opened = [version.last_modified for version in versions if version.status in OPEN_LEAD_STATUSES]
    last_open = opened[-1] if opened else None
    spell = [version for version in versions if last_open is None or version.last_modified > last_open]
    decided = ([version for version in spell if version.status not in WITHDRAWN] or spell)[-1]
    first_closed = spell[0].last_modified
    # a lead that was never seen open: what was seen first may be an edit, long after an agent had closed it
    processed = [version.first_processed for version in versions if version.first_processed]
    unseen = last_open is None and decided.status not in BY_THE_SYSTEM
    without_call = min([first_closed, *processed]) if unseen else first_closed
    found |= {"decided": decided, "closed_at": without_call, "attribution": "system"}
    if decided.status is not LeadStatus.UserProcessed:
        return found
    contacts = [call for call in legs if call.end_cause is CONTACT and call.start <= first_closed]
    closings = [
        call
        for call in contacts
        if call.status is CallStatus.UserProcessed and (last_open is None or (call.end or call.start) >= last_open)
    ]
    recent = [call for call in contacts if call.start >= first_closed - DAY]
    if closings:
        call = closings[-1]
        found |= {"attribution": "closing_call", "closing_call_id": call.id, "closed_at": call.end or first_closed}
    elif recent:
        call = recent[-1]
        found |= {"attribution": "last_contact", "closed_at": first_closed}
    elif user := decided.first_processed_by or decided.last_modified_by:
        return found | {"attribution": "lead_user", "agent": user}
    else:
        return found
    credited = {"agent": call.agent, "org_path": call.org_path, "org_names": call.org_names}
    return found | credited | {"credited_incoming": call.incoming}


# -- counts by node --------------------------------------------------------------------------------------------------


@dataclass
class ByNode:
    """Counts by any group, at each node of a path, and how each node is written on each day."""

    counts: dict[tuple[Hashable, ...], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    last: dict[tuple[dt.date, tuple[str, ...]], tuple[dt.datetime, set[Any]]] = field(default_factory=dict)

    def add(
        self, day: dt.date, moment: dt.datetime, path: Sequence[str], names: Sequence[str], group: Any, counts: Any
    ) -> None:
        """Count a record once at each level of its path."""
        for level in range(len(path) + 1):
            node = tuple(code.lower() for code in path[:level])
            self.counts[day, node, *group].update(counts)
            spelled = (tuple(path[:level]), names[level - 1] if level else "(all)")
            latest, as_spelled = self.last.get((day, node), (moment, set()))
            if moment > latest:
                as_spelled = set()
            if moment >= latest:
                self.last[day, node] = (moment, as_spelled | {spelled})

    def rows(self, names: Sequence[str]) -> Iterator[tuple[Row, Counter[str]]]:
        """Each group's keys, by name, and its counts."""
        for (day, node, *group), counts in self.counts.items():
            keys = dict(zip(names, [day, node, *group], strict=True))
            yield keys | {"spelled": self.last[day, node][1]}, counts


def _plain(counts: Counter[str], names: Iterable[str]) -> Row:
    return {name: counts[name] for name in names}


OUTCOMES = (
    "calls", "connected", "dialing_s", "conversation_s", "wrap_up_s", "dials", "settled_dials",
    "handled_dialing_s", "handled_talk_s", "handled_wrap_up_s",
)  # fmt: skip


def call_outcomes(seen: Seen) -> list[Row]:
    """Calls per day of start, node, campaign and end cause."""
    return _calls(seen, by_hour=False)


def call_hours(seen: Seen) -> list[Row]:
    """The same by the hour on the clock of the wall."""
    return _calls(seen, by_hour=True)


def _calls(seen: Seen, *, by_hour: bool) -> list[Row]:
    table = ByNode()
    for call in seen.all_calls:
        day, settled = seen.day(call.start), seen.settled(call)
        dialing, talk, wrap_up = call.dialing_s or 0, call.conversation_s or 0, call.wrap_up_s or 0
        handled = settled and not call.incoming
        counts = {
            "calls": 1, "connected": call.connected, "unsettled": not settled,
            "dialing_s": dialing, "conversation_s": talk, "wrap_up_s": wrap_up,
            "dials": is_dial(call), "settled_dials": is_dial(call) and settled,
            "handled_dialing_s": dialing * handled, "handled_talk_s": talk * handled,
            "handled_wrap_up_s": wrap_up * handled,
        }  # fmt: skip
        hour = (call.start.astimezone(seen.zone).hour,) if by_hour else ()
        group = (call.campaign_id, call.end_cause.name, *hour)
        table.add(day, call.start, call.org_path, call.org_names, group, counts)
    return [
        keys | _plain(counts, OUTCOMES) | {"is_mature": keys["date"] in seen.complete_calls and not counts["unsettled"]}
        for keys, counts in table.rows(("date", "node", "campaign_id", "end_cause", *(("hour",) if by_hour else ())))
    ]


AGENT_COUNTS = (
    "calls", "dials", "settled_dials", "unsettled", "completed", "contacts", "dialing_s", "talk_s", "wrap_up_s",
    "handled_dialing_s", "handled_talk_s", "handled_wrap_up_s", "contact_talk_s", "contact_wrap_up_s",
    "closings", "successes", "not_interested", "outbound_successes",
)  # fmt: skip
AGENT_KEYS = ("date", "who", "node", "campaign_id")


def agent_days(seen: Seen) -> list[Row]:
    """What each agent did per day, path and campaign: calls by their start, leads by their closing."""
    counts: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for call in seen.all_calls:
        settled, contact = seen.settled(call), call.end_cause is CONTACT
        dial, handled = is_dial(call) and settled, settled and not call.incoming
        dialing, talk, wrap_up = call.dialing_s or 0, call.conversation_s or 0, call.wrap_up_s or 0
        who, node = call.agent and call.agent.lower(), tuple(code.lower() for code in call.org_path)
        counts[seen.day(call.start), who, node, call.campaign_id].update({
            "calls": 1, "dials": is_dial(call), "settled_dials": dial, "completed": dial and call.end_cause in COMPLETED,
            "contacts": dial and contact, "dialing_s": dialing, "talk_s": talk, "wrap_up_s": wrap_up,
            "handled_dialing_s": dialing * handled, "handled_talk_s": talk * handled, "handled_wrap_up_s": wrap_up * handled,
            "contact_talk_s": talk * handled * contact, "contact_wrap_up_s": wrap_up * handled * contact,
            "unsettled": not settled,
        })  # fmt: skip
    for lead in leads(seen):
        if lead["closed_at"] is not None and lead["attribution"] != "system":
            success = lead["closure"] == "Success"
            who, node = lead["agent"] and lead["agent"].lower(), tuple(code.lower() for code in lead["org_path"])
            counts[lead["closed_date"], who, node, lead["campaign_id"]].update({
                "closings": 1, "successes": success, "not_interested": lead["closure"] == "NotInterested",
                "outbound_successes": success and lead["credited_incoming"] is False,
            })  # fmt: skip
    return [
        dict(zip(AGENT_KEYS, key, strict=True))
        | _plain(of_key, AGENT_COUNTS)
        | {"is_mature": key[0] in seen.complete and not of_key["unsettled"]}
        for key, of_key in counts.items()
    ]


CONVERSION = ("leads", "by_closing_call", "by_last_contact", "by_lead_user", "by_system", "outbound", "attempts")


def lead_conversion(seen: Seen) -> list[Row]:
    """Closed leads per closing day, node of the credited call, campaign and closure."""
    table = ByNode()
    for lead in leads(seen):
        if lead["closed_at"] is not None:
            outbound = lead["credited_incoming"] is False
            counts = {
                "leads": 1, "by_" + lead["attribution"]: 1,
                "outbound": outbound, "attempts": lead["attempts_to_close"] * outbound,
            }  # fmt: skip
            group = lead["campaign_id"], lead["closure"]
            table.add(lead["closed_date"], lead["closed_at"], lead["org_path"], lead["org_names"], group, counts)
    return [
        keys | _plain(counts, CONVERSION) | {"is_mature": keys["closed_date"] in seen.complete}
        for keys, counts in table.rows(("closed_date", "node", "campaign_id", "closure"))
    ]


# -- cohorts ---------------------------------------------------------------------------------------------------------

CLOSURES = tuple(closure.name for closure in LeadClosure)
COHORTS = ("leads", "completed", "contacted", "closed", "successes", "rpc", "attempts")


def _dialled(rows: list[Row]) -> list[Row]:
    """The leads that belong to a cohort: with a version and a dial."""
    return [lead for lead in rows if lead["versions"] and lead["dials"]]


def _age(cohort: dt.date, day: dt.date) -> int:
    return max(0, (day - cohort).days)


def lead_cohorts(seen: Seen) -> list[Row]:
    """What became of the leads first dialled on a day, by age in days."""
    table = ByNode()
    for lead in _dialled(leads(seen)):
        cohort = lead["cohort_date"]
        credited = lead["attribution"] in ("closing_call", "last_contact")
        ages = {  # what happened, and when
            "completed": lead["first_completed_at"] and _age(cohort, seen.day(lead["first_completed_at"])),
            "contacted": lead["first_contact_at"] and _age(cohort, seen.day(lead["first_contact_at"])),
            "closed": lead["closed_date"] and _age(cohort, lead["closed_date"]),
        }
        ages["successes"] = ages["closed"] if lead["closure"] == "Success" else None
        ages["rpc"] = ages["closed"] if lead["closure"] in ("Success", "NotInterested") and credited else None
        for age in AGES:
            counts = {what: 1 for what, at in ages.items() if at is not None and at <= age}
            counts["leads"] = 1
            counts["attempts"] = sum(_age(cohort, day) <= age for day in lead["attempt_dates"])
            group = lead["first_dial_campaign_id"], age
            path, names = lead["first_dial_path"], lead["first_dial_names"]
            table.add(cohort, lead["first_dial_at"], path, names, group, counts)
    rows = []
    for keys, counts in table.rows(("cohort_date", "node", "campaign_id", "age_days")):
        cohort, old = keys["cohort_date"], keys["cohort_date"] + keys["age_days"] * DAY
        mature = cohort in seen.complete and old <= seen.through(cohort)
        rows.append(keys | _plain(counts, COHORTS) | {"is_mature": mature})
    return rows


def cumulative_incidence(seen: Seen) -> list[Row]:
    """Aalen-Johansen curves of the leads first dialled in a week, by campaign."""
    times: dict[tuple[dt.date, str], list[tuple[int, str | None]]] = defaultdict(list)
    for lead in _dialled(leads(seen)):
        cohort, closed = lead["cohort_date"], lead["closed_date"]
        if cohort not in seen.complete:
            continue
        if closed is not None and closed <= seen.through(cohort):
            time, cause = _age(cohort, closed), "success" if lead["closure"] == "Success" else "other"
        else:
            time, cause = (seen.through(cohort) - cohort).days, None
        times[cohort - cohort.weekday() * DAY, lead["first_dial_campaign_id"]].append((time, cause))
    return [
        {"cohort_week": week, "campaign_id": campaign} | row
        for (week, campaign), observations in times.items()
        for row in aalen_johansen(observations, least_at_risk=10)
    ]


def aalen_johansen(times: Sequence[tuple[int, str | None]], least_at_risk: int = 1) -> list[Row]:
    """The curve for observations (age, cause), cause None where censored; one row an age while enough are at risk."""
    rows: list[Row] = []
    still_open, success, other = 1.0, 0.0, 0.0
    for age in range(max(time for time, _ in times) + 1):
        at_risk = sum(time >= age for time, _ in times)
        if at_risk < least_at_risk:
            break
        now = Counter(cause for time, cause in times if time == age)
        success += still_open * now["success"] / at_risk
        other += still_open * now["other"] / at_risk
        still_open *= 1 - (now["success"] + now["other"]) / at_risk
        rows.append({
            "age_days": age, "at_risk": at_risk, "successes": now["success"], "other_closed": now["other"],
            "censored": now[None], "success_incidence": success, "other_incidence": other, "still_open": still_open,
        })  # fmt: skip
    return rows


# -- drop rates and units --------------------------------------------------------------------------------------------


def wilson(k: float, n: float) -> tuple[float, float] | tuple[None, None]:
    """The 95 % interval of a share; none over an empty denominator, nor for what is no share of it."""
    if not 0 <= k <= n or not n:
        return None, None
    z = 1.959963984540054
    middle, scale = k / n + z * z / (2 * n), 1 + z * z / n
    half = z * math.sqrt(k / n * (1 - k / n) / n + z * z / (4 * n * n))
    return (middle - half) / scale, (middle + half) / scale


def drop_rates(seen: Seen) -> list[Row]:
    """Dropped calls among those answered, by the windows of each regime."""
    per_day: dict[str, dict[dt.date, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for call in seen.all_calls:
        counts = per_day[call.campaign_id][seen.day(call.start)]
        settled = seen.settled(call)
        counts.update(unsettled=not settled, dials=is_dial(call))
        if settled and is_dial(call):
            counts[call.end_cause.name] += 1
    rows = []
    for campaign, days in per_day.items():
        dialled = [day for day, counts in sorted(days.items()) if counts["dials"]]
        for regime, limit in (("us_ftc_30d_campaign", 0.03), ("uk_legacy_24h_campaign", 0.03), ("none", None)):
            for start, end in sorted({_window(regime, dialled[0], day) for day in dialled}):
                within = [start + n * DAY for n in range((end - start).days)]
                mature = all(day in seen.complete_calls and not days.get(day, Counter())["unsettled"] for day in within)
                sums: Counter[str] = sum((days[day] for day in within if day in days), Counter())
                row = {"regime": regime, "campaign_id": campaign, "window_start": start, "window_end": end}
                rows.append(row | drop_rate(sums) | {"limit_rate": limit, "is_mature": mature})
    return rows


def _window(regime: str, first: dt.date, day: dt.date) -> tuple[dt.date, dt.date]:
    """The window that holds a day; ``first`` is the campaign's first day."""
    if regime == "us_ftc_30d_campaign":
        start = first + (day - first).days // 30 * 30 * DAY
        return start, start + 30 * DAY
    if regime == "uk_legacy_24h_campaign":
        return day, day + DAY
    return day.replace(day=1), (day.replace(day=1) + 31 * DAY).replace(day=1)


def drop_rate(counts: Counter[str]) -> Row:
    """Both drop rates, from counts by end cause."""
    dropped, contacts, machines = (counts[cause] for cause in ("DroppedCall", "NormalDisconnect", "VoiceMail"))
    conservative, reasoned = dropped + contacts, (dropped + contacts + machines) if contacts + machines else 0
    low, high = wilson(dropped, conservative)
    reasoned_low, reasoned_high = wilson(dropped, reasoned)
    return {
        "dropped": dropped, "contacts": contacts, "voicemails": machines,
        "drop_rate_live_conservative": _divided(dropped, conservative),
        "conservative_ci_low": low, "conservative_ci_high": high,
        "drop_rate_reasoned": _divided(dropped, reasoned),
        "reasoned_ci_low": reasoned_low, "reasoned_ci_high": reasoned_high,
    }  # fmt: skip


def _divided(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator else None


def org_history(seen: Seen) -> list[Row]:
    """The versions of each unit's name and parent, from the calls that carry a hierarchy."""
    units: dict[str, dict[dt.date, list[tuple[Call, int]]]] = defaultdict(lambda: defaultdict(list))
    for call in seen.all_calls:
        for level, code in enumerate(call.org_path):
            units[code.lower()][seen.day(call.start)].append((call, level))
    rows = []
    for days in units.values():
        versions: list[Row] = []
        state = None
        for _, calls in sorted(days.items()):
            call, level = calls[-1]
            if _state(call, level) != state:
                state = _state(call, level)
                since = next(c.start for c, at in calls if _state(c, at) == state)
                if versions:
                    versions[-1]["valid_to"] = since
                versions.append({"valid_from": since, "valid_to": None})
            parent = call.org_path[level - 1] if level else None
            versions[-1] |= {
                "org_code": call.org_path[level],
                "org_name": call.org_names[level],
                "parent_code": parent,
            }
        rows += [version | {"latest_name": versions[-1]["org_name"]} for version in versions]
    return rows


def _state(call: Call, level: int) -> tuple[str, str | None]:
    return call.org_names[level], call.org_path[level - 1].lower() if level else None


# -- rates -----------------------------------------------------------------------------------------------------------


UNKNOWN = dict.fromkeys(("numerator", "denominator", "rate", "ci_low", "ci_high"))


def _rate(metric: str, k: float, n: float, *, mature: bool, category: str | None = None, share: bool = True) -> Row:
    """One row of a rate view, but for its group."""
    low, high = wilson(k, n) if share else (None, None)
    return {
        "metric": metric, "category": category, "numerator": k, "denominator": n, "rate": _divided(k, n),
        "ci_low": low, "ci_high": high, "is_mature": mature,
    }  # fmt: skip


def _grouped(rows: list[Row], keys: Sequence[str]) -> dict[tuple[Any, ...], list[Row]]:
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[key] for key in keys)].append(row)
    return groups


def _total(rows: Iterable[Row], *names: str) -> float:
    return sum(row[name] for row in rows for name in names)


def outcome_rates(seen: Seen) -> list[Row]:
    """Rates over dials, per day, node and campaign."""
    return _rates_of_calls(call_outcomes(seen), ("date", "node", "campaign_id"))


def hour_rates(seen: Seen) -> list[Row]:
    """The same by hour."""
    return _rates_of_calls(call_hours(seen), ("date", "node", "campaign_id", "hour"))


def agent_rates(seen: Seen) -> list[Row]:
    """Rates of what each agent did; none of a day of which only the calls or only the leads are pulled."""
    rates = []
    for row in agent_days(seen):
        mature = row["is_mature"]
        handled = _total([row], "handled_dialing_s", "handled_talk_s", "handled_wrap_up_s") / 3600
        talk, wrap_up = row["contact_talk_s"], row["contact_wrap_up_s"]
        wins, contacts, decided = row["outbound_successes"], row["contacts"], row["successes"] + row["not_interested"]
        of_row = [
            _rate("contact_rate_per_dial", contacts, row["completed"], mature=mature),
            _rate("aht_talk_wrap", talk + wrap_up, contacts, mature=mature, share=False),
            _rate("avg_talk", talk, contacts, mature=mature, share=False),
            _rate("avg_wrap", wrap_up, contacts, mature=mature, share=False),
            _rate("conversion_per_lead_closed", row["successes"], row["closings"], mature=mature),
            _rate("conversion_net", row["successes"], decided, mature=mature),
            _rate("conversion_per_contact", wins, contacts, mature=mature),
            _rate("conversion_per_dial", wins, row["completed"], mature=mature),
            _rate("success_per_talk_hour", wins, row["handled_talk_s"] / 3600, mature=mature, share=False),
            _rate("success_per_handled_hour", wins, handled, mature=mature, share=False),
        ]
        of_calls = 4  # these need no leads
        for number, rate in enumerate(of_row):
            has_calls, has_leads = row["date"] in seen.calls, row["date"] in seen.leads_pulled
            lacks = has_leads and not has_calls if number < of_calls else has_calls != has_leads
            rates.append({key: row[key] for key in AGENT_KEYS} | rate | (UNKNOWN if lacks else {}))
    return rates


def _rates_of_calls(counted: list[Row], keys: Sequence[str]) -> list[Row]:
    rates = []
    for group, rows in _grouped(counted, keys).items():
        s = Counter({row["end_cause"]: row["settled_dials"] for row in rows})
        completed = sum(s[cause.name] for cause in COMPLETED)
        dialled = completed + s["DialingCancelled"]
        contacts = s["NormalDisconnect"]
        spoken = [row for row in rows if row["end_cause"] == "NormalDisconnect"]
        mature = all(row["is_mature"] for row in rows)
        talk, wrap_up = _total(spoken, "handled_talk_s"), _total(spoken, "handled_wrap_up_s")
        dialing = _total(spoken, "handled_dialing_s")
        of_group = [
            _rate("answer_rate_per_dial", contacts + s["DroppedCall"], completed, mature=mature),
            _rate("contact_rate_per_dial", contacts, completed, mature=mature),
            _rate("voicemail_rate_per_dial", s["VoiceMail"], dialled, mature=mature),
            *(_rate("end_cause_mix", s[c.name], dialled, mature=mature, category=c.name) for c in DOCUMENTED),
            _rate("aht_talk_wrap", talk + wrap_up, contacts, mature=mature, share=False),
            _rate("aht_incl_dialing", talk + wrap_up + dialing, contacts, mature=mature, share=False),
            _rate("avg_talk", talk, contacts, mature=mature, share=False),
            _rate("avg_wrap", wrap_up, contacts, mature=mature, share=False),
        ]
        of_key = dict(zip(keys, group, strict=True)) | {"spelled": rows[0]["spelled"]}
        rates += [of_key | rate for rate in of_group]
    return rates


def conversion_rates(seen: Seen) -> list[Row]:
    """Rates over closed leads, per closing day, node and campaign; some over the calls of that day."""
    outcomes = _grouped(call_outcomes(seen), ("date", "node", "campaign_id"))
    groups = _grouped(lead_conversion(seen), ("closed_date", "node", "campaign_id"))
    rates = []
    for group in outcomes.keys() | groups.keys():
        rows, calls = groups.get(group, []), outcomes.get(group, [])
        n = _total(rows, "leads")
        mature = group[0] in seen.complete  # as of every row of the day, where there are any
        with_calls = mature and all(row["is_mature"] for row in calls)
        by_closure = Counter({row["closure"]: row["leads"] for row in rows})
        won = [row for row in rows if row["closure"] == LeadClosure.Success.name]
        wins = _total(won, "outbound")
        contacts = _total([row for row in calls if row["end_cause"] == "NormalDisconnect"], "settled_dials")
        completed = [row for row in calls if row["end_cause"] in {cause.name for cause in COMPLETED}]
        talk = _total(calls, "handled_talk_s") / 3600
        handled = _total(calls, "handled_dialing_s", "handled_talk_s", "handled_wrap_up_s") / 3600
        by_agent, won_by_agent = n - _total(rows, "by_system"), _total(won, "leads") - _total(won, "by_system")
        decided = by_closure["Success"] + by_closure["NotInterested"]
        of_leads = [
            _rate("conversion_per_lead_closed", won_by_agent, by_agent, mature=mature),
            _rate("conversion_net", by_closure["Success"], decided, mature=mature),
            *(_rate("closure_mix", by_closure[c], n, mature=mature, category=c) for c in (*CLOSURES, "(undocumented)")),
            _rate("closed_by_call_share", _total(rows, "by_closing_call"), n, mature=mature),
            _rate("closed_by_last_contact_share", _total(rows, "by_last_contact"), n, mature=mature),
            _rate("closed_outside_calls_share", _total(rows, "by_lead_user"), n, mature=mature),
            _rate("closed_by_system_share", _total(rows, "by_system"), n, mature=mature),
            _rate("attempts_to_success", _total(won, "attempts"), wins, mature=mature, share=False),
        ]
        over_calls = [  # also where dials closed no lead, so that numerators and denominators add up over days
            _rate("conversion_per_contact", wins, contacts, mature=with_calls),
            _rate("conversion_per_dial", wins, _total(completed, "settled_dials"), mature=with_calls),
            _rate("success_per_talk_hour", wins, talk, mature=with_calls, share=False),
            _rate("success_per_handled_hour", wins, handled, mature=with_calls, share=False),
        ]
        day, node, campaign = group
        keys = {"date": day, "node": node, "campaign_id": campaign, "spelled": (rows or calls)[0]["spelled"]}
        unknown = UNKNOWN if (day in seen.calls) != (day in seen.leads_pulled) else {}
        rates += [keys | rate | unknown for rate in (of_leads if rows else []) + over_calls]
    return rates


def cohort_rates(seen: Seen) -> list[Row]:
    """Rates over leads dialled, by cohort and age; none while the cohort is younger than that."""
    rates = []
    for row in lead_cohorts(seen):
        group = {name: row[name] for name in ("cohort_date", "node", "campaign_id", "age_days", "spelled")}
        mature = row["is_mature"]
        of_group = [
            _rate("conversion_per_lead_worked", row["successes"], row["leads"], mature=mature),
            _rate("contact_rate_per_lead", row["contacted"], row["completed"], mature=mature),
            _rate("rpc_rate_per_lead", row["rpc"], row["leads"], mature=mature),
            _rate("attempts_per_lead", row["attempts"], row["leads"], mature=mature, share=False),
        ]
        unknown = {} if mature else {"rate": None, "ci_low": None, "ci_high": None}
        rates += [group | rate | unknown for rate in of_group]
    return rates
