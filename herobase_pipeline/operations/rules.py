"""The checks, declared: what must be so, what to do where it is not, and what finds the days on which it is not.

They say counts and HeroBase's own words, never a customer's data nor an agent's code.
"""

import datetime as dt
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from statistics import median
from typing import NamedTuple

import dagster as dg

from herobase_pipeline.assets.fields import FINDINGS
from herobase_pipeline.assets.site import Site
from herobase_pipeline.deriving.rebuilding import differences
from herobase_pipeline.enums import LOOKS_LIKE_ONE
from herobase_pipeline.lake.damage import KEPT, damaged, name_of, remedy, without_damaged
from herobase_pipeline.lake.engine import literal, quoted
from herobase_pipeline.lake.layout import Lake, place_of
from herobase_pipeline.lake.zones import zone_differences
from herobase_pipeline.operations.sums import twice, unlike, unlike_by_day
from herobase_pipeline.pulling.answers import cut_days
from herobase_pipeline.pulling.calls import ShrunkError
from herobase_pipeline.pulling.services import DAY_SERVICES, LIST_SERVICES
from herobase_pipeline.pulling.values import read as read_values
from herobase_pipeline.settings import Settings
from herobase_pipeline.tables import (
    ACCOUNT,
    AGENT_DAYS,
    CALL_HOURS,
    CALL_OUTCOMES,
    CALLS,
    DELIVERIES,
    DELIVERY_PLAN,
    ERASURES,
    LEAD_CONVERSION,
    LEAD_FIELDS,
    LEADS,
    ORG_UNITS,
    PROJECTS,
    TABLES,
    UNREADABLE,
    Table,
)
from herobase_pipeline.tables.erasures import FOUND

DUE_HOUR = 6  # local: by then the night's pull of yesterday is done
RECENT = 35  # days looked back where older ones are noise, or dear to read: a comparison with four weeks, and one more
SETTLED_AFTER = 8  # days: a call that is pulled later counts as settled, whatever it says (trap T9)
UNSETTLED = 0.2  # of a day's calls: one in a hundred is usual, one in eight of a weekend's few; more bends the rates
UNPLACED = 0.01  # of a day's calls: what each must have is asked of 99 in 100 (trap T15)
_LOOKS = 12  # within so many all files are read
QUIET, BUSY = 0.6, 1.7  # times the usual: weekdays vary by less, an outage or a second campaign by more
USUAL = 50  # calls a day: of fewer, chance alone leaves those bounds
FEWER, DAYS_BEFORE, MANY = 0.5, 3, 20  # times the usual share of a field; days compared with; records that must lack it
ODD, ODD_SHARE = 3, 0.005  # records with a value in no known form, and their share: fewer are somebody's slip
FRIDAY = 4
WEEKS = 2  # earlier weeks to compare with: of a single one nobody knows whether it was usual
RULES_SINCE = dt.date(2020, 1, 1)  # zone rules are compared from then on
RULES_AHEAD = 2  # years: a law that changes a zone is known for longer than that by few
INVALID_LEADS = 0.1  # of a delivery's: a field that was renamed breaks all
QUOTA_LEFT = 0.1  # of a service's limit: a night's pulls need less, a backfill more
WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR

Finding = tuple[dt.date, str]
"""The offending day, and what is wrong with it."""


@dataclass(frozen=True)
class Look:
    """What a check may look at, beside the tables.

    Attributes:
        site: whose tables they are.
        instance: what Dagster knows of past runs.
        settings: the settings.
        now: the time that decides which days are due.
        read: the tables that are looked at.

    """

    site: Site
    instance: dg.DagsterInstance
    settings: Settings
    now: dt.datetime
    read: Sequence[Table] = TABLES

    @property
    def lake(self) -> Lake:
        """The lake."""
        return Lake(self.settings.data_dir)

    @cached_property
    def undamaged(self) -> Lake:
        """The lake without damaged files of what is read: which ones are damaged is told by a check of its own."""
        return without_damaged(self.lake, self.read)

    @property
    def due(self) -> dt.date:
        """The last day that must be loaded by now."""
        local = self.now.astimezone(self.settings.zone)
        return local.date() - dt.timedelta(days=1 if local.hour >= DUE_HOUR else 2)


class Counted(NamedTuple):
    """What a check reads of each file once, and again when it is another: see ``by_file.define``."""

    name: str
    table: Table
    select: str


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: its name.
        tables: the table it is of, then the others that it reads.
        severity: ERROR where a number is wrong or missing, WARN where a person should look.
        rule: what must be so, and what it means if it is not.
        remedy: what to do then.
        find: what yields the findings: SQL, or a function of what Dagster and the lake know. The SQL reads the tables,
            ``loaded(table_name, day, complete)``, where ``complete`` is a day that was over when it was loaded,
            ``accepted(first, last, tables)``, the gaps that somebody accepted, ``misdeclared(message)``, what is wrong with
            their file, and ``due()``, the last day that must be loaded by now.
        counted: what the SQL reads by these names.

    """

    name: str
    tables: Sequence[Table]
    severity: dg.AssetCheckSeverity
    rule: str
    remedy: str
    find: str | Callable[[Look], list[Finding]]
    counted: Sequence[Counted] = ()

    @property
    def table(self) -> Table:
        """The table it is of."""
        return self.tables[0]


def _left_failed(table: Table, look: Look, cause: str = "") -> list[Finding]:
    """Return the days whose last attempt failed; with ``cause``, those that an error of that name stopped."""
    asset, days = look.site.key(table), look.site.days
    statuses = look.instance.get_status_by_partition(asset, days.get_partition_keys(), days) or {}
    found = []
    for key in [key for key, status in statuses.items() if status is dg.AssetPartitionStatus.FAILED]:
        attempt = look.instance.get_latest_planned_materialization_info(asset, key)
        name, sentence = failure(look.instance, attempt.run_id, look.site.called(table.name)) if attempt else ("", "")
        if not cause or (name == cause and sentence.startswith(key)):  # the other days of its run were left undone
            found.append((dt.date.fromisoformat(key), sentence))
    return found


def failure(instance: dg.DagsterInstance, run_id: str, step: str = "") -> tuple[str, str]:
    """Return the cause of a step's failure, or of any step's, and the sentence it left.

    An error without one may quote a customer's data.
    """
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        told = entry.get_dagster_event().step_failure_data
        if (not step or entry.step_key == step) and told.error and told.user_failure_data:
            name = told.error.cause.cls_name if told.error.cause else None
            return name or "", told.user_failure_data.description or ""
    return "", f"Run {run_id.split('-')[0]} failed; its page says why."


def _undeclared(look: Look) -> list[Finding]:
    """Return what the last run of lead_fields found that its declarations do not fit, by the day; or why it failed."""
    key, instance = look.site.key(LEAD_FIELDS), look.instance
    event = instance.get_latest_materialization_event(key)
    attempt = instance.get_latest_planned_materialization_info(key)
    run = instance.get_run_by_id(attempt.run_id) if attempt and (not event or event.run_id != attempt.run_id) else None
    if run and run.is_failure:
        return [(look.now.date(), failure(instance, run.run_id, look.site.called(LEAD_FIELDS.name))[1])]
    told = event.asset_materialization.metadata.get(FINDINGS) if event and event.asset_materialization else None
    if not isinstance(told, dg.TableMetadataValue):
        return []
    by_day: dict[dt.date, list[str]] = {}
    for record in told.records:
        of = record.data
        match of["what"]:
            case "new":
                said = f"{of['declaration']}: new field {of['name']} on {of['leads']} leads"
            case "unreadable":
                said = f"{of['declaration']}: the fields of {of['leads']} leads are no JSON object, so they are in no column"
            case "vanished":
                said = f"{of['declaration']}: no field {of['name']} any more"
            case _:
                said = f"no declaration for the campaign {of['name']} with {of['leads']} leads"
        by_day.setdefault(dt.date.fromisoformat(str(of["day"])), []).append(said)
    return [(day, "; ".join(said)) for day, said in by_day.items()]


def _cut(service: str, look: Look) -> list[Finding]:
    """Return the days that were pulled with as many records as a limit that was found later."""
    found = "as many records as HeroBase then gave at once, as later days showed"
    return [(day, found) for day in cut_days(look.lake, service)]


def _damaged(tables: Sequence[Table], look: Look) -> list[Finding]:
    """Return the days, or today, of which files are not as they were written; each hour some are read that bear their time."""
    now = look.now.astimezone(look.settings.zone)
    found = []
    for table in tables:
        files = look.lake.every_file(table)
        turn = [path for path in files if zlib.crc32(str(path).encode()) % _LOOKS == now.hour % _LOOKS]
        for path in damaged(look.lake, table, thoroughly=turn):
            folder = path.parent.name
            day = place_of(str(path))[1] if folder.startswith("date=") else now.date()
            found.append((day, f"{name_of(look.lake, path)} is damaged on the disk"))
    return found


def _unreadable(service: str, look: Look) -> list[Finding]:
    """Return the latest days on which values of a field had none of the known forms, in more records than a few."""
    found = []
    for day, of in read_values(look.lake, service).items():
        many = {name: n for name, n in sorted(of.unreadable.items()) if n >= max(ODD, ODD_SHARE * of.records)}
        if many and day > look.due - dt.timedelta(days=RECENT):
            found.append((day, ", ".join(f"{name} ×{n}" for name, n in many.items())))
    return found


def _emptied(service: str, look: Look) -> list[Finding]:
    """Return the latest days on which far fewer records had a field than on the days before, weekends by themselves.

    On the running day, of which some calls are not over, only what no record has at all.
    """
    found = []
    days = read_values(look.lake, service)
    for day, of in days.items():
        kind = [days[each] for each in days if each < day and (each.weekday() > FRIDAY) == (day.weekday() > FRIDAY)]
        before = [each for each in kind if each.records >= USUAL][-RECENT:]
        if of.records < USUAL or len(before) < DAYS_BEFORE or day <= look.due - dt.timedelta(days=RECENT):
            continue
        told = []
        for name, given in sorted(of.given.items()):
            usual = median(each.given.get(name, 0) / each.records for each in before)
            fewest = 0 if day > look.due else FEWER * usual * of.records
            if given <= fewest and usual * of.records >= MANY:
                told.append(f"{name} in {given / of.records:.0%} of records, usually {usual:.0%}")
        if told:
            found.append((day, "; ".join(told)))
    return found


def _zone_rules(look: Look) -> list[Finding]:
    """Return the spans in which DuckDB and Python have different rules for the zone."""
    settings = look.settings
    until = dt.date(look.now.astimezone(settings.zone).year + RULES_AHEAD, 12, 31)
    return [
        (
            first,
            f"{settings.timezone} is {_offset(python)} by Python's rules and {_offset(duckdb)} by DuckDB's, until {last}",
        )
        for first, last, python, duckdb in zone_differences(settings.zone, RULES_SINCE, until)
    ]


def _set_aside(service: str) -> str:
    return f"""
        SELECT date, string_agg(found, '; ' ORDER BY found) FROM (
            SELECT date, count(*) || ' ' || reason AS found
            FROM unreadable WHERE service = '{service}' AND date >= due() - {RECENT} GROUP BY date, reason
        ) GROUP BY date
    """


def _gaps(table: Table) -> str:
    return f"""
        WITH known AS (FROM loaded WHERE table_name = '{table.name}'),
        days AS (SELECT unnest(range(min(day), least(max(day), due()) + 1, INTERVAL 1 DAY))::DATE AS day FROM known)
        SELECT day, if(complete IS NULL, 'not loaded', 'loaded before the day was over, and not again since')
        FROM days LEFT JOIN known USING (day)
        WHERE complete IS NOT true
            AND NOT EXISTS (
                FROM accepted WHERE day BETWEEN first AND last AND (len(tables) = 0 OR '{table.name}' IN tables)
            )
        UNION ALL
        SELECT due(), message FROM misdeclared
    """


def _not_yet(table: Table) -> str:
    return f"""
        SELECT due(), 'not loaded, or not since the day was over'
        WHERE NOT EXISTS (FROM loaded WHERE table_name = '{table.name}' AND day = due() AND complete)
    """


def _shown(value: str) -> str:
    """Return the SQL of an enum value as it may be shown and noted: what does not look like one may be anything."""
    looks_like_one = f"{value} IS NULL OR regexp_full_match({value}, {literal(LOOKS_LIKE_ONE)})"
    return f"CASE WHEN {looks_like_one} THEN {value} ELSE '(withheld)' END"


def _undocumented(table: Table) -> Counted:
    """Return what finds enum values that are not documented; what does not look like one is not repeated."""
    values = " UNION ALL ".join(
        f"SELECT date AS day, '{column.name}' AS field, {quoted(column.name)} AS value FROM {table.name} "
        f"WHERE {quoted(column.name)} NOT IN ({', '.join(literal(known.name) for known in column.enum)})"
        for column in table
        if column.enum
    )
    select = f"""
        WITH counted AS (
            SELECT
                day,
                field || ' ' || {_shown("value")} AS told,
                count(*) AS times
            FROM ({values})
            GROUP BY day, field, value
            QUALIFY row_number() OVER (PARTITION BY day ORDER BY count(*) DESC, field, value) <= 5
        )
        SELECT day, string_agg(told || ' ×' || times, ', ' ORDER BY times DESC, told) AS told FROM counted GROUP BY day
    """
    return Counted(f"undocumented_{table.name}", table, select)


def _differences(table: Table, source: Table, leaves: str, day: str, what: str, category: str, measure: str) -> str:
    """Return what finds days on which a table's sums, at any level, are not the number of the source's rows.

    ``leaves`` is a SELECT of these: day, depth of the org path, category and rows; ``what`` is what the categories are called.
    """
    return f"""
        WITH parts AS (
            SELECT {day} AS day, org_level, {category} AS category, {measure} AS told, 0 AS counted FROM {table.name}
            UNION ALL
            SELECT day, unnest(range(depth + 1)), category, 0, rows FROM ({leaves})
        ),
        sums AS (
            SELECT day, org_level, category, sum(told) AS told, sum(counted) AS counted FROM parts GROUP BY ALL
        )
        SELECT day, format(
            '{{}} {measure} in {table.name}, {{}} in {source.name}; {{}} sums by level and {what} differ',
            coalesce(sum(told) FILTER (org_level = 0), 0),
            coalesce(sum(counted) FILTER (org_level = 0), 0),
            count(*) FILTER (told <> counted)
        )
        FROM sums GROUP BY day HAVING bool_or(told <> counted)
    """


def _unlike(name: str, told: Mapping[Table, str], counted: Mapping[Table, str], look: Look) -> list[Finding]:
    """Return the days on which a table does not add up to what it is made with."""
    return unlike(look.undamaged, look.settings.zone, look.due, name, told, counted)


def _unlike_by_day(name: str, tables: Sequence[Table], query: str, look: Look) -> list[Finding]:
    """Return what a query finds on the days of two daily tables."""
    return unlike_by_day(look.undamaged, look.settings.zone, look.due, name, tables, query)


def _changes(table: Table, held: str, which: str) -> str:
    """Return what finds days of a pull that hold other things than the pull before. ``held`` yields day and thing."""
    return f"""
        WITH things AS (SELECT thing, list(day) AS days FROM ({held}) AS held (day, thing) GROUP BY thing),
        pulls AS (
            SELECT day, thing, list_contains(days, day) AS is_held
            FROM (SELECT day FROM loaded WHERE table_name = '{table.name}') CROSS JOIN things
        ),
        changes AS (
            SELECT *, lag(is_held) OVER (PARTITION BY thing ORDER BY day) AS was_held FROM pulls
            QUALIFY is_held <> was_held
        )
        SELECT day, string_agg(if(is_held, 'gained ', 'lost ') || thing, ', ' ORDER BY thing)
        FROM changes WHERE {which} AND day > due() - {RECENT} GROUP BY day
    """


_BY_DAY = Counted(
    "calls_by_day",
    CALLS,
    """
    SELECT
        date,
        count(*) AS calls,
        count(*) FILTER (NOT settled) AS unsettled,
        count(*) FILTER (end_cause IS DISTINCT FROM 'DroppedCall') AS not_dropped,
        count(*) FILTER (end_cause IS DISTINCT FROM 'DroppedCall' AND org_source = 'missing') AS missing,
        count(*) FILTER (end_cause IS DISTINCT FROM 'DroppedCall' AND org_source = 'sweep') AS swept
    FROM calls GROUP BY date
    """,
)
_CLOSED = Counted(
    "closed_leads",
    LEADS,
    f"""
    SELECT month, closed_date AS day, coalesce(len(org_path), 0) AS depth, {_shown("closure")} AS category, count(*) AS rows
    FROM leads WHERE closed_date IS NOT NULL GROUP BY ALL
    """,
)
_UNSETTLED = f"""
    SELECT date, format(
        '{{}} of {{}} calls ({{:.1f}} %) unsettled, {{}} days old', unsettled, calls, 100 * unsettled / calls, due() + 1 - date
    )
    FROM calls_by_day
    WHERE (unsettled > {UNSETTLED} * calls AND date <= due() - 2) OR (unsettled > 0 AND date <= due() - {SETTLED_AFTER})
"""
# where the hierarchy of some days is on the calls, one that had to be asked for unit by unit has been lost
_UNPLACED = f"""
    SELECT date, format(
        '{{}} of {{}} calls without a hierarchy, {{}} with that of the day of the pull only', missing, not_dropped, swept
    )
    FROM (
        SELECT *, bool_or(not_dropped > missing + swept) OVER () AS is_told_elsewhere
        FROM calls_by_day WHERE date > due() - {RECENT}
    )
    WHERE missing + if(is_told_elsewhere, swept, 0) > {UNPLACED} * not_dropped
"""
_UNUSUAL = f"""
    WITH days AS (
        SELECT day FROM loaded WHERE table_name = 'calls' AND complete AND day BETWEEN due() - {RECENT + 28} AND due()
    ),
    counted AS (SELECT day, coalesce(calls, 0) AS calls FROM days LEFT JOIN calls_by_day ON date = day),
    compared AS (
        SELECT counted.day, counted.calls, median(earlier.calls) AS usual
        FROM counted JOIN counted AS earlier ON counted.day - earlier.day IN (7, 14, 21, 28)
        WHERE counted.day > due() - {RECENT}
        GROUP BY ALL
        HAVING count(*) >= {WEEKS} AND usual >= {USUAL}
    )
    SELECT day, format('{{}} calls, where {{:.0f}} are usual on a {{}}', calls, usual, dayname(day))
    FROM compared WHERE calls NOT BETWEEN {QUIET} * usual AND {BUSY} * usual
"""
_RIGHTS = r"""
    SELECT date, 'projects ' || unnest(project_rights) FROM account
    UNION ALL
    SELECT date, regexp_replace(fullkey, '^\$\.?|\[\d+\]', '', 'g') || ' ' || (atom ->> '$')
    FROM account, json_tree(if(json_valid(resource_rights), resource_rights, NULL)) WHERE atom IS NOT NULL
"""
# the shape of limits and counts is not documented: a number is the service's that is named beside it, else above it
_UNFINISHED = f"""
    SELECT local_day(seen_at), count(*) || ' persons are not erased yet'
    FROM erasures WHERE done_at IS NULL AND seen_at < now() - INTERVAL 1 DAY GROUP BY ALL
    UNION ALL
    SELECT local_day(done_at), 'something is left of ' || count(*) || ' persons'
    FROM erasures WHERE contains(proof, '{FOUND} ') GROUP BY ALL
"""
_UNDECIDED = """
    SELECT local_day(last_tried_at), format('{}: {} {}', delivery, count(*), state)
    FROM deliveries WHERE state IN ('unknown', 'rejected', 'needs_action', 'sending')
    GROUP BY local_day(last_tried_at), delivery, state
"""
_ADD_UP = """
    WITH
    done AS (SELECT delivery, lead_id FROM delivery_plan WHERE decision = 'done'),
    kept AS (SELECT lead_id, max(last_tried_at) AS last_tried_at FROM deliveries GROUP BY lead_id)
    SELECT coalesce(local_day(max(last_tried_at)), due()), format('{}: {} leads are done and in no ledger', delivery, count(*))
    FROM done LEFT JOIN kept USING (lead_id)
    WHERE last_tried_at IS NULL GROUP BY delivery
"""
_INVALID = f"""
    SELECT due(), format(
        '{{}}: {{}} of {{}} leads are invalid', delivery, count(*) FILTER (decision = 'invalid'), count(*)
    )
    FROM delivery_plan WHERE decision IN ('invalid', 'send', 'done') GROUP BY delivery
    HAVING count(*) FILTER (decision = 'invalid') > {INVALID_LEADS} * count(*)
"""
_QUOTA = rf"""
    WITH latest AS (FROM account ORDER BY date DESC LIMIT 1),
    leaves AS (
        SELECT 'limit' AS what, * FROM latest, json_tree(if(json_valid(limits), limits, NULL)) WHERE atom IS NOT NULL
        UNION ALL
        SELECT 'count' AS what, * FROM latest, json_tree(if(json_valid(counts), counts, NULL)) WHERE atom IS NOT NULL
    ),
    named AS (SELECT what, parent, min(atom ->> '$') AS text FROM leaves WHERE type = 'VARCHAR' GROUP BY ALL),
    services AS (
        SELECT
            date,
            coalesce(text, regexp_extract(
                regexp_replace(fullkey, '\.\w*(limit|count|quota|used|requests)\w*$', '', 'i'), '([^."]+)"?$', 1
            )) AS service,
            max((atom ->> '$')::DOUBLE) FILTER (what = 'limit') AS most,
            max((atom ->> '$')::DOUBLE) FILTER (what = 'count') AS spent
        FROM leaves LEFT JOIN named USING (what, parent)
        WHERE type IN ('UBIGINT', 'BIGINT', 'DOUBLE')
        GROUP BY ALL
    )
    SELECT date, string_agg(format(
        '{{}}: {{:.0f}} of {{:.0f}} requests left', replace(service, '$', 'all services'), most - spent, most
    ), ', ')
    FROM services WHERE most > 0 AND most - spent < {QUOTA_LEFT} * most GROUP BY date
"""


_DAILY = [service.tables[0] for service in DAY_SERVICES]
_ASK_SUPPORT = (
    "To HeroBase's support: \"Since the first of these days GET /{} gives our web-service account the fields named in another "
    'form, or not at all. What has changed, and is it meant?"'
)
_DOCUMENTED = [table for table in _DAILY if any(column.enum for column in table)]
_EACH_DAY = [
    check
    for service, table in zip(DAY_SERVICES, _DAILY, strict=True)
    for check in (
        Check(
            "answers_whole", [table], ERROR,
            "No day was pulled from an answer that HeroBase had cut: else records are missing on it.",  # trap T14
            "Materialize the days listed.",
            partial(_cut, service.name),
        ),
        Check(
            "no_gap_days", [table], ERROR,
            "No day is missing between the first and the last that are loaded, and each was pulled after it had ended: else sums "
            "over these days are too low. Gaps that somebody accepted are left out (accepted_gaps.toml in HEROBASE_DATA_DIR).",
            "Materialize the days listed. If nobody will load them, accept the gap.",
            _gaps(table),
        ),
        Check(
            "yesterday_is_loaded", [table], ERROR,
            f"At {DUE_HOUR}:00 yesterday is loaded, pulled after it had ended: else the latest numbers are a day old.",
            "Look at the night's run, and materialize the day.",
            _not_yet(table),
        ),
    )
]  # fmt: skip
_VALUES = [
    Check(
        "values_documented", [table], WARN,
        f"All enum values of the latest {RECENT} days are documented: others are kept as given, but no rate knows them.",  # T23
        "Ask HeroBase what they mean.",
        f"SELECT day, told FROM {_undocumented(table).name} WHERE day > due() - {RECENT}",
        counted=[_undocumented(table)],
    )
    for table in _DOCUMENTED
]  # fmt: skip
_WATCHED = [
    *((service.tables[0], service.tables) for service in DAY_SERVICES),
    (LEADS, [table for table in TABLES if not table.daily and table not in KEPT] + [CALL_OUTCOMES, CALL_HOURS]),
    (ORG_UNITS, [table for table in TABLES if table.snapshot]),
    (ERASURES, KEPT),
]
_UNDAMAGED = [
    Check(
        "files_undamaged", [table], ERROR,
        "Each file has the bytes that were written: else what is read of it may be another number, without any error. All are "
        "read within twelve hourly looks; those whose time or length has changed at each.",
        remedy(table, "the table named"),
        partial(_damaged, tables),
    )
    for table, tables in _WATCHED
]  # fmt: skip
_DRIFT = [
    *(
        Check(
            "values_readable", [table], WARN,
            f"In the latest {RECENT} days each value had one of the forms that this version knows: others are NULL, as if not "
            "given.",
            _ASK_SUPPORT.format(service.name) + " Report the fields to whoever looks after this program as well.",
            partial(_unreadable, service.name),
        )
        for service, table in zip(DAY_SERVICES, _DAILY, strict=True)
    ),
    *(
        Check(
            "fields_as_usual", [table], WARN,
            f"In the latest {RECENT} days as many records as usual have each field: what HeroBase gives no more is NULL, without "
            "any error.",
            _ASK_SUPPORT.format(service.name),
            partial(_emptied, service.name),
        )
        for service, table in zip(DAY_SERVICES, _DAILY, strict=True)
        if table in _DOCUMENTED
    ),
]  # fmt: skip
_FAILURES = [
    Check(
        "no_partition_left_failed", [table], ERROR,
        "No day's last attempt has failed: such a day has old numbers or none.",
        "Do what the sentence says, and materialize the day.",
        partial(_left_failed, table),
    )
    for table in (*_DAILY, CALL_OUTCOMES, CALL_HOURS)
]  # fmt: skip
_SET_ASIDE = [
    Check(
        "nothing_set_aside", [table, UNREADABLE], WARN,
        f"In the latest {RECENT} days every record could be read: others are in private/unreadable and in no number.",
        "Look at them there, and report their form.",
        _set_aside(name),
    )
    for name, table in (
        *((service.name, table) for service, table in zip(DAY_SERVICES, _DAILY, strict=True)),
        *((service.name, service.table) for service in LIST_SERVICES),
    )
]  # fmt: skip
_OTHERS = [
    Check(
        "no_day_shrunk", [CALLS], ERROR,
        "No day lost a fifth of its calls when it was last pulled: the calls it had were kept.",  # trap T2
        "Find out why; if it is right, run the day with the tag herobase/accept_shrunk=true.",
        partial(_left_failed, CALLS, cause=ShrunkError.__name__),
    ),
    Check(
        "calls_settled", [CALLS], WARN,
        f"Calls get their outcome: at most {UNSETTLED:.0%} of a day lack it after 2 days, and none after {SETTLED_AFTER}. Rates "
        "leave them out.",
        "Materialize the days listed; if that does not help, ask HeroBase.",
        _UNSETTLED,
        counted=[_BY_DAY],
    ),
    Check(
        "hierarchy_captured", [CALLS], WARN,
        f"Of the latest {RECENT} days, {1 - UNPLACED:.0%} of the calls that were not dropped tell where they belong: others are "
        "in no team's numbers.",
        "Look whether a right or a field has gone, or set HEROBASE_CALL_ORG_FIELD. "  # trap T15
        + _ASK_SUPPORT.format("calls") + " Name the field of the hierarchy; make account says which it was.",
        _UNPLACED,
        counted=[_BY_DAY],
    ),
    Check(
        "calls_once", [CALLS], ERROR,
        f"In the latest {RECENT} days every call is there once, on one day: else it is counted twice.",  # trap T5
        "Materialize the days listed; if they stay, report them.",
        lambda look: twice(
            look.undamaged, look.settings.zone, look.due - dt.timedelta(days=RECENT - 1), "calls_once"
        ),
    ),
    Check(
        "calls_as_usual", [CALLS], WARN,
        f"Each of the latest {RECENT} days has {QUIET:.0%} to {BUSY:.0%} of the calls that are usual on its weekday, the median "
        "of 4 weeks before.",
        "A holiday explains a quiet day; else ask the team leads what happened, and materialize the day.",
        _UNUSUAL,
        counted=[_BY_DAY],
    ),
    Check(
        "roll_up_equals_total", [CALL_OUTCOMES, CALLS], ERROR,
        "The outcomes of a day, of all nodes of a level, add up to the calls that are loaded.",
        "Materialize call_outcomes for the days listed, which may not have been counted since; if they stay, report them.",
        partial(
            _unlike_by_day, "roll_up_equals_total", [CALL_OUTCOMES, CALLS],
            _differences(
                CALL_OUTCOMES, CALLS,
                "SELECT date AS day, coalesce(len(org_path), 0) AS depth, end_cause AS category, count(*) AS rows FROM calls "
                "GROUP BY ALL",
                "date", "end_cause", "end_cause", "calls",
            ),
        ),
    ),
    Check(
        "closure_mix_sums", [LEAD_CONVERSION, LEADS], ERROR,
        "The closures of a day add up to the leads closed on it, at every level, those that the system closed too.",  # T37
        "Materialize lead_conversion; if the days stay, report them.",
        _differences(LEAD_CONVERSION, LEADS, "FROM closed_leads", "closed_date", "closure", _shown("closure"), "leads"),
        counted=[_CLOSED],
    ),
    Check(
        "hours_add_up", [CALL_HOURS, CALL_OUTCOMES, CALLS], ERROR,
        "The hours of a day add up to call_outcomes, for each end cause.",
        "Materialize call_outcomes and call_hours for the days listed; if they stay, report them.",
        partial(
            _unlike, "hours_add_up",
            {CALL_HOURS: f"SELECT date, {_shown('end_cause')}, calls FROM call_hours WHERE org_level = 0"},
            {CALL_OUTCOMES: f"SELECT date, {_shown('end_cause')}, calls FROM call_outcomes WHERE org_level = 0"},
        ),
    ),
    Check(
        "agents_add_up", [AGENT_DAYS, CALLS, LEADS], ERROR,
        "What all agents did on a day adds up to the calls that are loaded, and to the leads that no system closed on it.",
        "Materialize agent_days; if the days stay, report them.",
        partial(
            _unlike, "agents_add_up",
            {AGENT_DAYS: "UNPIVOT (SELECT date, calls, unsettled, closings, successes FROM agent_days) ON * EXCLUDE (date)"},
            {
                CALLS: "UNPIVOT (SELECT date, 1 AS calls, (NOT settled)::INT AS unsettled FROM calls) ON * EXCLUDE (date)",
                LEADS: "UNPIVOT (SELECT month, closed_date, 1 AS closings, (closure = 'Success')::INT AS successes FROM leads "
                "WHERE closed_at IS NOT NULL AND attribution <> 'system') ON * EXCLUDE (month, closed_date)",
            },
        ),
    ),
    Check(
        "rights_unchanged", [ACCOUNT], WARN,
        f"In the latest {RECENT} days the account's rights were the same at each pull: less right, less data without any "
        "error.",  # trap T15
        "Days before and after do not compare. To HeroBase's support: \"Since the day named our web-service account lacks these "
        "rights. Was that meant? Please give them back.\"",
        _changes(ACCOUNT, _RIGHTS, which="true"),
    ),
    Check(
        "no_project_vanished", [PROJECTS], WARN,
        f"In the latest {RECENT} days no project has gone from the list: with it its leads do, without any error.",  # trap T15
        "If it was not deleted, to HeroBase's support: \"Since the day named our web-service account does not see this project. "
        "Please give back the right to it.\"",
        _changes(PROJECTS, "SELECT date, coalesce(name, project_id) FROM projects", which="was_held"),
    ),
    Check(
        "fields_declared", [LEAD_FIELDS], WARN,
        "The fields that leads have are those that are declared for them, when lead_fields was last made: a new field is in no "
        "column, and a vanished or renamed one leaves its column empty.",
        "Add it to the file named, as a field, in left_out or in formerly, and materialize lead_fields. Nothing is "
        "lost: lead_data has all fields.",
        _undeclared,
    ),
    Check(
        "zone_rules_agree", [CALLS], WARN,
        "DuckDB and Python have the same rules for the zone in HEROBASE_TIMEZONE. Where they differ, Python says which day a "
        "call or a lead version belongs to, and DuckDB reads stamps without an offset and computes the other dates: around "
        "midnight these may be a day off.",
        "Upgrade DuckDB, or the tzdata of Python and of this machine, until both know the law.",
        _zone_rules,
    ),
    Check(
        "quota_left", [ACCOUNT], WARN,
        f"Of each service's daily requests {QUOTA_LEFT:.0%} were left at the last look, so far as the account may see them and "
        "this version can read them.",
        "Put off backfills, or order a higher limit.",
        _QUOTA,
    ),
    Check(
        "rebuild_agrees", [LEADS], ERROR,
        "The last full rebuild made of each table what was there, row for row, as changes had made it since the one before.",
        "What is there now is right. Look into restatements for published numbers that changed with it, and report the tables "
        "and this sentence.",
        lambda look: differences(look.lake),
    ),
    Check(
        "none_unknown", [DELIVERIES], ERROR,
        "Of every delivery it is known whether it arrived, none was refused, and none needs a person: what is unknown or refused "
        "is never sent again by itself.",  # trap T39
        "make deliveries lists them. Look in the destination for the key's first signs, and say there what you found.",
        _UNDECIDED,
    ),
    Check(
        "deliveries_add_up", [DELIVERIES, DELIVERY_PLAN], ERROR,
        "What the plan calls done is in the ledger, and in no other number: delivered, rejected, unknown or in need of a person.",
        "Materialize delivery_plan; if it stays, report it.",
        _ADD_UP,
    ),
    Check(
        "few_invalid", [DELIVERY_PLAN], WARN,
        f"Of the leads that a delivery is for, at most {INVALID_LEADS:.0%} break a rule of its mapping: these are never sent.",
        "Look at the reasons in delivery_plan; correct the leads in HeroBase, or the file in deliveries.",
        _INVALID,
    ),
    Check(
        "erasures_are_finished", [ERASURES], ERROR,
        "Every person who asked to be forgotten is erased within a day, and nothing of them was found at the last scan.",
        "Materialize erasures: where it fails its run says why, and its check erased_are_gone says where something is left.",
        _UNFINISHED,
    ),
]  # fmt: skip


def _offset(ahead: dt.timedelta) -> str:
    """Return an offset from UTC as people write it: UTC-07:00."""
    return str(dt.timezone(ahead))


RULES = (*_EACH_DAY, *_UNDAMAGED, *_VALUES, *_DRIFT, *_FAILURES, *_SET_ASIDE, *_OTHERS)
