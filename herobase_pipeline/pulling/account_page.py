"""``make account``: what the account of the settings gives, as a page of words that can be sent to anyone.

``herobase-account`` prints the page; ``--json`` prints what it is made from, for a bug report; ``--day 2026-11-24`` looks at the
calls and leads of that day instead of the last weekday. Each service is asked once at most.
"""

import argparse
import datetime as dt
import sys
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import msgspec

from herobase_pipeline.herobase.errors import HeroBaseError
from herobase_pipeline.pulling.account import herobase
from herobase_pipeline.pulling.examination import Asked, Examination, State, examine
from herobase_pipeline.settings import SettingsError
from herobase_pipeline.sites import ONLY, add_option, chosen, headed

_NEEDED = ("myaccount", "projects", "campaigns", "organizationalunits", "users", "calls", "simpleleads")
"""Services without which something that people expect is missing; the others are welcome."""
_GIVES = {
    "myaccount": "the account's rights",
    "myaccount/request/limits": "its requests a day",
    "myaccount/request/counts": "how many of them are spent",
    "projects": "the projects",
    "campaigns": "the campaigns",
    "leaddefinitions": "which fields leads have",
    "leadsegments": "lead segments",
    "leadpools": "lead pools",
    "hooks": "webhooks",
    "organizationalunits": "the org units",
    "users": "the users",
    "calls": "the calls",
    "simpleleads": "the leads",
    "leads": "the leads of a saved search",
    "leads/csv": "the same as CSV",
    "rawleads": "the fields of leads, a row each",
}
_COSTS = {
    "myaccount": "nobody can say beforehand which rights are missing, and no check notices when one goes",
    "myaccount/request/limits": "a run cannot say beforehand whether the day's requests suffice",
    "myaccount/request/counts": "a run cannot say beforehand whether the day's requests suffice",
    "projects": "a name in HEROBASE_PROJECTS that is spelled wrong is not noticed: its leads are just missing",
    "campaigns": "campaigns have no names and no projects in any table",
    "leaddefinitions": "make fields guesses names and types from what stands in leads",
    "leadsegments": "there is no list of segments; no number needs it",
    "leadpools": "there is no list of pools; leads may name theirs all the same",
    "hooks": "there is no list of webhooks; no number needs it",
    "organizationalunits": "set HEROBASE_ORG_CODES to the units whose calls you want; names of units come from the calls alone",
    "users": "agents are codes without names",
    "calls": "there are no calls: no call outcomes, no history of teams, and no lead is credited to a team",
    "simpleleads": "leads come from a saved search only: save one in HeroBase and name it in HEROBASE_SAVED_SEARCHES, else there "
    "is no conversion",
    "leads": "the saved search is not exported",
    "leads/csv": "the saved search is not exported as CSV",
    "rawleads": "the fields of leads come with the leads alone",
}


def main(arguments: list[str] | None = None) -> int:
    """Print the page; returns the exit code."""
    options = argparse.ArgumentParser(prog="herobase-account", description=__doc__)
    options.add_argument("--json", action="store_true", help="print what the page is made from, for a bug report")
    options.add_argument("--day", type=dt.date.fromisoformat, help="whose calls and leads are looked at")
    add_option(options)
    given = options.parse_args(arguments)
    found: dict[str, Examination] = {}
    try:
        sites = chosen(given.site)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for name, settings in sites.items():
        try:
            found[name] = examine(herobase(settings, attempts=1), settings, given.day).examination
        except HeroBaseError as error:
            sys.stderr.write(f"{name}: {error}\n" if name else f"{error}\n")
    if given.json and found:
        sys.stdout.write(as_json(found.get(ONLY, found)))
    else:
        sys.stdout.write("\n".join(headed(name, page(of_site)) for name, of_site in found.items()))
    return 0 if found.keys() == sites.keys() else 2


def as_json(found: Examination | dict[str, Examination]) -> str:
    """Return an examination, or those of sites by their names, as JSON."""
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"


def page(found: Examination) -> str:
    """Return an examination in words, as Markdown that is readable as it is."""
    parts = [_beginning(found), _services(found), _missing(found), _support(found), _hierarchy(found), _times(found)]
    parts += [_leads(found), _not_understood(found), _requests(found)]
    return "\n\n".join("\n".join(part) for part in map(list, parts) if part) + "\n"


def _beginning(found: Examination) -> Iterator[str]:
    whose = "The sandbox" if found.is_sandbox else "The account"
    zone = ZoneInfo(found.timezone)
    start, end = (edge.astimezone(zone) for edge in (found.from_time, found.to_time))
    yield f"# {whose}, examined on {found.examined_at.astimezone(zone):%Y-%m-%d at %H:%M} with {found.requests} requests"
    yield ""
    yield f"Calls and leads are those of {start:%A %Y-%m-%d, %H:%M} to {end:%H:%M}, {found.timezone}. Nothing was kept."
    yield "No name, number or address of a customer is on this page, so it can be sent to anyone."


def _services(found: Examination) -> Iterator[str]:
    yield "## What HeroBase answers"
    yield ""
    for each in found.asked:
        looked = f", {each.records:,} looked at" if each.state is State.WORKS and each.records else ""
        detail = f" ({each.detail})" if each.detail else ""
        yield f"* {_GIVES[each.service]}, /{each.service}: {each.state}{looked}{detail}"


def _missing(found: Examination) -> Iterator[str]:
    yield "## What is missing, and what that costs"
    yield ""
    lines = [
        f"* {_GIVES[each.service]}, /{each.service}, {each.state}: {_COSTS[each.service]}"
        for each in found.asked
        if each.state not in (State.WORKS, State.NOT_ASKED)
        or (each.service in _NEEDED and each.state is not State.WORKS)
    ]
    if found.all_projects is False:
        lines.append(
            f"* projects: the account may see those that {_patterns(found.project_rights)}, not all. The leads of the others are "
            "just missing, without any error"
        )
    if found.lead_entry_access not in (None, "Full"):
        lines.append(
            f"* lead fields: the account has {found.lead_entry_access} access, so some or all fields of leads are left out"
        )
    yield from lines or ["Nothing that this version would use."]


def _patterns(number: int) -> str:
    return "one pattern matches" if number == 1 else f"{number} patterns match"


def _support(found: Examination) -> Iterator[str]:
    """Yield the text to send to HeroBase's support, where there is something to ask for."""
    lacking = [each for each in found.asked if each.state is State.NO_RIGHT]
    wishes = [
        f"* GET on {right}: we get 403 from {_paths(lacking, right)}"
        for right in dict.fromkeys(a.right for a in lacking)
    ]
    if found.all_projects is False:
        wishes.append("* project rights to all projects (`*`), or to each project that we report on")
    if found.lead_entry_access not in (None, "Full"):
        wishes.append("* lead definition entry access `Full`")
    if wishes:
        yield "## To send to HeroBase's support"
        yield ""
        yield "> We export calls and leads with a web-service account. Please give it these rights, to read only:"
        yield from (f"> {wish}" for wish in wishes)


def _paths(asked: list[Asked], right: str) -> str:
    return " and ".join(f"/{each.service}" for each in asked if each.right == right)


def _hierarchy(found: Examination) -> Iterator[str]:
    yield "## Where calls carry the org hierarchy"
    yield ""
    its = found.hierarchy
    if found.state("calls") is not State.WORKS or not its.calls:
        yield "It does not show, as no call with an agent could be looked at. Choose a busier day with --day."
    elif not its.fields:
        yield (
            f"None of {its.calls:,} calls with an agent carries it. Units are asked one by one instead, with a request each, and "
            "the path is that of the day of the pull. If you know the field, name it in HEROBASE_CALL_ORG_FIELD."
        )
    else:
        yield (
            f"In `{'`, `'.join(its.fields)}`: {its.shape}; {its.carrying:,} of {its.calls:,} calls with an agent carry it."
        )


def _times(found: Examination) -> Iterator[str]:
    yield "## Which zone stamps are in"
    yield ""
    lines = [
        f"* /{service}: written as {' or '.join(f'`{form}`' for form in sample.stamps)}; {sample.zone}"
        for service, sample in found.samples.items()
        if sample.stamps
    ]
    yield from lines or ["It does not show, as there was no call and no lead in these hours."]


def _leads(found: Examination) -> Iterator[str]:
    if found.lead_fields is not None:
        least, most = found.lead_fields
        yield "## Fields of leads"
        yield ""
        yield f"Leads come with {least} to {most} fields." if most else "Leads come without their fields."


def _not_understood(found: Examination) -> Iterator[str]:
    yield "## What this version does not know"
    yield ""
    lines = []
    for service, sample in found.samples.items():
        if sample.unknown_fields:
            lines.append(f"* /{service}: the fields {', '.join(f'`{name}`' for name in sample.unknown_fields)}")
        for column, values in sample.undocumented.items():
            lines.append(f"* /{service}: the values {', '.join(f'`{value}`' for value in values)} of {column}")
        if sample.unreadable:
            lines.append(f"* /{service}: {sample.unreadable:,} values or records that cannot be read")
    yield from (
        [*lines, "Report these, with the output of --json."] if lines else ["Nothing: each field and value is known."]
    )


def _requests(found: Examination) -> Iterator[str]:
    yield "## Requests a day"
    yield ""
    alike: dict[str, list[str]] = {}
    for service, most, spent in found.limits:
        if most is not None:
            left = "" if spent is None else f", {most - spent:,} left"
            alike.setdefault(f"{most:,}{left}", []).append(f"/{service}")
    yield from (f"* {told}: {', '.join(services)}" for told, services in alike.items())
    if not alike:
        yield "HeroBase does not say, or not in a way that can be read."
