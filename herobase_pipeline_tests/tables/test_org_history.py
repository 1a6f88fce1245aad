"""The units' history and their names in counts, from hand-made calls (trap T26)."""

import datetime as dt
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from herobase_pipeline.herobase.organisation import UNKNOWN
from herobase_pipeline.tables import CALL_OUTCOMES, CALLS, LEAD_CONVERSION, LEADS, ORG_HISTORY
from herobase_pipeline_tests.tables.making import (
    DAY,
    SOUTH,
    ZONE,
    Row,
    at,
    call,
    day,
    derive_days,
    fill,
    histories,
    history_of,
    load,
    make,
    outcomes_of,
    read,
    temporary_lake,
)


def seen(start: dt.datetime, path: str, name: str | None = None, **columns: object) -> Row:
    """A call under a path, written ``Root/South``; its last unit is called ``name``, all others by their codes."""
    codes = path.split("/")
    named = {"org_path": codes, "org_names": [*codes[:-1], name or codes[-1]]}
    return call(start, None, **{"call_id": f"{start:%d %H:%M:%S} {path} {name}", **named, **columns})


def spans(rows: list[Row]) -> list[tuple]:
    """The versions of a unit: name, parent, and from when to when."""
    return [(row["org_name"], row["parent_code"], row["valid_from"], row["valid_to"]) for row in rows]


def test_t26_a_unit_that_is_renamed_has_two_versions():
    units = history_of([
        seen(at("09:00"), "Root/South", "Team Blue"), seen(at("15:00"), "Root/South", "Team Blue"),
        seen(at("11:00", 1), "Root/South", "Team Green"), seen(at("10:00", 1), "Root/South", "Team Green"),
        seen(at("09:00", 4), "Root/South", "Team Green"),
    ])  # fmt: skip
    assert spans(units["south"]) == [
        ("Team Blue", "Root", at("09:00"), at("10:00", 1)),
        ("Team Green", "Root", at("10:00", 1), None),
    ]
    assert {row["latest_name"] for row in units["south"]} == {"Team Green"}
    assert spans(units["root"]) == [("Root", None, at("09:00"), None)]


def test_t26_a_unit_that_gets_its_old_name_back_has_three_versions():
    rows = [seen(at("09:00", n), "Root/South", name) for n, name in enumerate(("Blue", "Green", "Blue"))]
    found = history_of(rows)["south"]
    assert [row["org_name"] for row in found] == ["Blue", "Green", "Blue"]
    assert {row["latest_name"] for row in found} == {"Blue"}


def test_t26_a_unit_that_moves_in_the_middle_of_a_day():
    units = history_of([
        seen(at("09:00"), "Root/East/South"),
        seen(at("09:00", 1), "Root/East/South"), seen(at("12:00", 1), "Root/West/South"), seen(at("15:00", 1), "Root/West/South"),
        seen(at("09:00", 2), "Root/West/South"),
    ])  # fmt: skip
    assert spans(units["south"]) == [
        ("South", "East", at("09:00"), at("12:00", 1)),
        ("South", "West", at("12:00", 1), None),
    ]
    assert spans(units["east"]) == [("East", "Root", at("09:00"), None)]
    assert spans(units["west"]) == [("West", "Root", at("12:00", 1), None)]


def test_t26_a_unit_that_becomes_a_root_and_one_that_ceases_to_be_one():
    units = history_of(
        [seen(at("09:00"), "Root/South"), seen(at("09:00", 1), "South"), seen(at("09:00", 2), "Root/South")]
    )
    assert [row["parent_code"] for row in units["south"]] == ["Root", None, "Root"]


def test_t26_calls_interleaved_on_the_day_of_the_change_make_no_more_versions():
    units = history_of([
        seen(at("09:00"), "Root/South", "Blue"),
        seen(at("08:30", 1), "Root/South", "Green"),  # told by one agent's screen
        seen(at("09:00", 1), "Root/South", "Blue"), seen(at("10:00", 1), "Root/South", "Green"),
        seen(at("11:00", 1), "Root/South", "Blue"), seen(at("12:00", 1), "Root/South", "Green"),
    ])  # fmt: skip
    assert spans(units["south"]) == [
        ("Blue", "Root", at("09:00"), at("08:30", 1)),
        ("Green", "Root", at("08:30", 1), None),
    ]


def test_t26_what_a_unit_was_called_for_a_part_of_a_day_is_no_version():
    units = history_of([
        seen(at("09:00"), "Root/South", "Blue"), seen(at("10:00"), "Root/South", "typo"), seen(at("11:00"), "Root/South", "Blue"),
        seen(at("09:00", 1), "Root/South", "Blue"),
    ])  # fmt: skip
    assert spans(units["south"]) == [("Blue", "Root", at("09:00"), None)]


def test_t26_of_calls_at_once_the_one_of_the_highest_id_is_the_last():
    for ids in ("ab", "ba"):
        names = {"a": "Blue", "b": "Green"}
        units = history_of(seen(at("09:00"), "Root/South", names[i], call_id=i) for i in ids)
        assert spans(units["south"]) == [("Green", "Root", at("09:00"), None)]


def test_t30b_a_code_in_other_letters_is_the_same_unit():
    units = history_of([
        seen(at("09:00"), "Root/South/Øst", "East"), seen(at("09:00", 1), "ROOT/SOUTH/ØST", "East"),
        seen(at("09:00", 2), "root/South/øst", "East"),
        seen(at("09:00", 3), "root/south/Øst", "Far East"),
    ])  # fmt: skip
    assert spans(units["øst"]) == [
        ("East", "South", at("09:00"), at("09:00", 3)),
        ("Far East", "south", at("09:00", 3), None),
    ]
    assert [row["org_code"] for row in units["øst"]] == ["øst", "Øst"]  # as they were spelled last
    assert units.keys() >= {"root", "south", "øst"}


def test_t26_paths_of_a_sweep_and_missing_ones_tell_nothing_of_that_time():
    units = history_of([
        seen(at("09:00"), "Root/South", "Blue"),
        seen(at("10:00"), "Root/South", "Green", org_source="sweep"),
        seen(at("09:00", 1), "Root/North", org_source="sweep"),
        call(at("10:00", 1), org_path=[], org_source="missing"),
    ])  # fmt: skip
    assert units.keys() == {"root", "south"}
    assert spans(units["south"]) == [("Blue", "Root", at("09:00"), None)]


def test_t26_of_calls_without_any_path_there_is_no_history():
    assert history_of([call(at("09:00"), org_path=[])]) == {}
    assert history_of([]) == {}


def test_t27_a_gap_stands_where_it_is_and_hides_nobody():
    rows = [seen(at("09:00"), f"Root/{UNKNOWN}/South"), seen(at("10:00"), f"Root/{UNKNOWN}/South")]
    units = history_of(rows)
    assert spans(units["south"]) == [("South", UNKNOWN, at("09:00"), None)]
    assert spans(units["root"]) == [("Root", None, at("09:00"), None)]
    keys = {row["org_key"]: (row["org_level"], row["calls"]) for row in outcomes_of(rows)}
    assert keys == {
        "": (0, 2),
        "Root": (1, 2),
        f"Root › {UNKNOWN}": (2, 2),
        f"Root › {UNKNOWN} › South": (3, 2),
    }


def test_t26_a_unit_without_a_name():
    rows = [
        seen(at("09:00"), "Root/South", org_names=[None, None]),
        seen(at("09:00", 1), "Root/South", org_names=[None, "Blue"]),
    ]
    units = history_of(rows)
    assert spans(units["root"]) == [(None, None, at("09:00"), None)]
    assert [row["org_name"] for row in units["south"]] == [None, "Blue"]


def test_t26_late_old_calls_make_no_newer_version():
    with temporary_lake() as lake:
        load(lake, [seen(at("09:00"), "Root/South", "Blue"), seen(at("09:00", 5), "Root/South", "Green")])
        make(lake, ORG_HISTORY)
        assert [row["valid_from"] for row in histories(lake)["south"]] == [at("09:00"), at("09:00", 5)]
        # a backfill of the days between
        load(lake, [seen(at("09:00", 2), "Root/South", "Blue"), seen(at("09:00", 4), "Root/South", "Green")])
        make(lake, ORG_HISTORY)
        assert spans(histories(lake)["south"]) == [
            ("Blue", "Root", at("09:00"), at("09:00", 4)),
            ("Green", "Root", at("09:00", 4), None),
        ]
        # a backfill of the days before, and a late call of a day that is loaded
        load(lake, [seen(at("09:00", -3), "Root/South", "Blue")])
        load(lake, [seen(at("09:00", 4), "Root/South", "Green"), seen(at("08:00", 4), "Root/South", "Blue")])
        make(lake, ORG_HISTORY)
        assert spans(histories(lake)["south"]) == [
            ("Blue", "Root", at("09:00", -3), at("09:00", 4)),
            ("Green", "Root", at("09:00", 4), None),
        ]


def test_t26_whatever_the_order_in_which_days_arrive_history_is_the_same():
    days = {
        n: [seen(at("09:00", n), "Root/South", name), seen(at("10:00", n), f"Root/{above}/Øst")]
        for n, (name, above) in enumerate((("Blue", "South"), ("Green", "South"), ("Green", "North")))
    }
    found = []
    for order in permutations(days):
        with temporary_lake() as lake:
            for n in order:
                load(lake, days[n])
            make(lake, ORG_HISTORY)
            found.append(lake.file(ORG_HISTORY).read_bytes())
    assert len(set(found)) == 1


place = st.sampled_from(["Root/South", "ROOT/south", "Root/North/South", "Root/South/North", "North"])
sight = st.tuples(st.integers(0, 2), st.integers(0, 5), place, st.sampled_from(["Blue", "Green"]))


@settings(max_examples=12, deadline=None)
@given(
    st.lists(sight, min_size=2, max_size=20).flatmap(
        lambda calls: st.tuples(st.just(calls), st.permutations(range(len(calls))))
    )
)
def test_t26_any_calls_in_any_order_make_the_history_that_plain_python_makes(drawn):
    calls, order = drawn
    rows = [
        seen(at(f"09:0{minute}", n), path, name, call_id=f"{i:02}") for i, (n, minute, path, name) in enumerate(calls)
    ]
    assert {unit: spans(found) for unit, found in history_of([rows[i] for i in order]).items()} == as_told(rows)


def as_told(rows: list[Row]) -> dict[str, list[tuple]]:
    """The versions of each unit: of each day the last state, and since when; a new one where it differs."""
    days: dict[str, dict[dt.date, list[tuple]]] = {}
    for row in sorted(rows, key=lambda row: (row["started_at"], row["call_id"])):
        for level, (code, name) in enumerate(zip(row["org_path"], row["org_names"], strict=True)):
            parent = row["org_path"][level - 1] if level else None
            of_day = days.setdefault(code.lower(), {}).setdefault(row["started_at"].astimezone(ZONE).date(), [])
            of_day.append((name, parent, row["started_at"]))
    told: dict[str, list[tuple]] = {}
    for unit, by_day in days.items():
        versions: list[tuple] = []
        for _, states in sorted(by_day.items()):
            name, parent, _ = states[-1]
            same = [
                start
                for other, above, start in states
                if (other, (above or "").lower()) == (name, (parent or "").lower())
            ]
            if versions and (versions[-1][0], (versions[-1][1] or "").lower()) == (name, (parent or "").lower()):
                versions[-1] = (name, parent, versions[-1][2], None)
            else:
                versions = [
                    *versions[:-1],
                    *((*last[:3], same[0]) for last in versions[-1:]),
                    (name, parent, same[0], None),
                ]
        told[unit] = versions
    return told


# -- names in counts -------------------------------------------------------------------------------------------------


def names(rows: list[Row]) -> dict[tuple[int, str], set[tuple[str, str]]]:
    """How each node is spelled and called, by its level and lower-cased code."""
    found: dict[tuple[int, str], set[tuple[str, str]]] = {}
    for row in rows:
        found.setdefault((row["org_level"], (row["org_code"] or "").lower()), set()).add(
            (row["org_key"], row["org_name"])
        )
    return found


def test_t26_t30b_a_node_has_the_name_and_the_spelling_of_its_last_call_that_day():
    rows = [
        seen(at("09:00"), "Root/South", "Blue", campaign_id="C1"),
        seen(at("15:00"), "ROOT/south", "Green", campaign_id="C2", end_cause="Busy", incoming=True),
        seen(at("14:00"), "ROOT/south", "Grey", campaign_id="C2", end_cause="Busy"),
        seen(at("15:00"), "ROOT/south", "Gold", campaign_id="C2", end_cause="Busy", call_id="0"),
        seen(at("12:00"), "Root/SOUTH", "Red", campaign_id="C1", end_cause="VoiceMail"),
        seen(at("16:00"), "root/North", campaign_id="C1"),
    ]
    for calls in (rows, rows[::-1]):
        assert names(outcomes_of(calls)) == {
            (0, ""): {("", "(all)")},
            (1, "root"): {("root", "root")},
            (2, "south"): {("ROOT › south", "Green")},
            (2, "north"): {("root › North", "North")},
        }


def test_t26_the_name_of_a_day_is_not_that_of_another():
    with temporary_lake() as lake:
        load(lake, [seen(at("09:00", n), "Root/South", name) for n, name in enumerate(("Blue", "Green"))])
        derive_days(lake, ZONE, CALL_OUTCOMES, [CALLS], [DAY, day(1)])
        shown = {(row["date"], row["org_name"]) for row in read(lake, CALL_OUTCOMES) if row["org_level"] == 2}
    assert shown == {(DAY, "Blue"), (day(1), "Green")}


def test_t26_leads_are_counted_under_the_name_of_the_last_closing_of_the_day():
    leads = [
        {"lead_id": lead, "closed_at": at(clock), "closed_date": DAY, "closure": closure, "campaign_id": campaign,
         "org_path": path, "org_names": ["Root", name], "credited_incoming": False, "attribution": "closing_call"}
        for lead, clock, closure, campaign, path, name in (
            ("a", "09:00", "Success", "C1", SOUTH, "Blue"), ("b", "15:00", "Unqualified", "C2", ["Root", "SOUTH"], "Green"),
            ("c", "12:00", "Success", "C1", SOUTH, "Red"),
        )
    ]  # fmt: skip
    with temporary_lake() as lake:
        fill(lake, LEADS, leads)
        make(lake, LEAD_CONVERSION)
        found = read(lake, LEAD_CONVERSION)
    assert names(found)[2, "south"] == {("Root › SOUTH", "Green")}
    assert sum(row["leads"] for row in found if row["org_level"] == 2) == 3
