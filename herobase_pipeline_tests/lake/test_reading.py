"""What the text of the wire becomes: the macros of reading.sql, against plain Python."""

import datetime as dt
import hmac
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from herobase_pipeline.herobase.organisation import code_of
from herobase_pipeline.lake.engine import connect, define_token, literal, number, quoted

ZONE = ZoneInfo("Europe/Copenhagen")
SQL = Callable[..., Any]
KEY = b"a key of an analyst, longer than one block of SHA-256 is, so that it is hashed first: 0123456789"
FAST = settings(max_examples=100, deadline=None)


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(ZONE, tmp_path_factory.mktemp("spool")) as con:
        define_token(con, KEY)
        yield con


@pytest.fixture(scope="module")
def sql(con: duckdb.DuckDBPyConnection) -> SQL:
    """The value of an expression in ``?``s."""
    return lambda expression, *values: con.execute(f"SELECT {expression}", list(values)).fetchall()[0][0]


# -- durations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT12M42.5S", 762.5), ("P1DT2H", 93_600), ("3.00:00:00", 259_200), ("-3.00:00:00", -259_200), ("PT0S", 0),
        ("-PT5S", -5), ("-P1DT0.25S", -86_400.25), ("P1D", 86_400), ("P0D", 0), ("PT25H", 90_000), ("PT90M", 5_400),
        ("PT100000S", 100_000), ("PT0,5S", 0.5), ("PT3.1234567S", 3.123457), ("00:12:42", 762), ("00:12:42.5000000", 762.5),
        ("-00:00:01", -1), ("1.02:03:04.5", 93_784.5), ("100:00:00", 360_000), ("762", 762), ("762.25", 762.25),
        ("0", 0), ("-1", -1), ("00:00:00", 0),
    ],
)  # fmt: skip
def test_t33_durations_in_every_form(sql, text, seconds):
    assert sql("seconds(?)", text) == pytest.approx(seconds, abs=2e-6)  # the seventh decimal is rounded or cut


@pytest.mark.parametrize(
    "text",
    [
        "", "PT", "P", "-P", "garbage", "P1Y", "P1M", "P1W", "T5S", "00:00", "::", "1.2.3", "xPT5S", "0x10", "NaN", "inf",
        "1e3", "null", "PTS", "PT99999999999999999H",
    ],
)  # fmt: skip
def test_t33_what_is_no_duration_is_null_and_never_zero(sql, text):
    assert sql("seconds(?)", text) is None


def test_t33_no_duration_stays_none(sql):
    assert sql("seconds(NULL)") is None


SPANS = st.builds(
    dt.timedelta,
    days=st.integers(0, 400),
    hours=st.integers(0, 23),
    minutes=st.integers(0, 59),
    seconds=st.integers(0, 59),
    microseconds=st.sampled_from([0, 0, 1, 500_000, 250_000, 999_999]),
)


def parts(span: dt.timedelta) -> tuple[int, int, int, int, str]:
    minutes, seconds = divmod(span.seconds, 60)
    return span.days, minutes // 60, minutes % 60, seconds, f".{span.microseconds:06}".rstrip("0").rstrip(".")


@given(SPANS, st.booleans())
@FAST
def test_t33_any_iso_duration_is_what_python_says(sql, span, negative):
    days, hours, minutes, seconds, fraction = parts(span)
    time = "".join(f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M")) if n)
    time += f"{seconds}{fraction}S" if seconds or fraction or not (time or days) else ""
    text = ("-" if negative else "") + "P" + (f"{days}D" if days else "") + (f"T{time}" if time else "")
    expected = -span.total_seconds() if negative else span.total_seconds()
    assert sql("seconds(?)", text) == pytest.approx(expected, abs=1e-6)


@given(SPANS, st.booleans())
@FAST
def test_t33_any_net_time_span_is_what_python_says(sql, span, negative):
    days, hours, minutes, seconds, _ = parts(span)
    text = ("-" if negative else "") + (f"{days}." if days else "") + f"{hours:02}:{minutes:02}:{seconds:02}"
    text += f".{span.microseconds:06}0" if span.microseconds else ""
    expected = -span.total_seconds() if negative else span.total_seconds()
    assert sql("seconds(?)", text) == pytest.approx(expected, abs=1e-6)


@given(st.text(max_size=12))
@example("\x00")
@example("PT1S\n")
@FAST
def test_t33_no_text_breaks_the_reading_of_durations(sql, text):
    found = sql("seconds(?)", text)
    assert found is None or any(c.isdigit() for c in text)


# -- stamps ---------------------------------------------------------------------------------------------------------

AT = dt.datetime(2026, 3, 30, 9, 4, 24, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-30T09:04:24", AT),
        ("2026-03-30T09:04:24.0000000", AT),
        ("2026-03-30T09:04:24.1", AT.replace(microsecond=100_000)),
        ("2026-03-30T09:04:24.1234567", AT.replace(microsecond=123_456)),
        ("2026-03-30 09:04:24", AT),
        ("2026-03-30T07:04:24Z", AT),
        ("2026-03-30T07:04:24.0000000Z", AT),
        ("2026-03-30T09:04:24+02:00", AT),
        ("2026-03-30T09:04:24.000+0200", AT),
        ("2026-03-30T03:04:24-04:00", AT),
        ("30-03-2026 09:04:24", AT),
        ("/Date(1774854264000)/", AT),
        ("/Date(1774854264123)/", AT.replace(microsecond=123_000)),
        ("/Date(1774854264000+0200)/", AT),
        ("/Date(1774854264000-0500)/", AT),
        ("/Date(-1000)/", dt.datetime(1969, 12, 31, 23, 59, 59, tzinfo=dt.UTC)),
        ("2026-03-30", dt.datetime(2026, 3, 30, tzinfo=ZONE)),
        ("2026-01-30T09:04:24", dt.datetime(2026, 1, 30, 8, 4, 24, tzinfo=dt.UTC)),
        ("2026-10-25T02:30:00+02:00", dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC)),
        ("2026-10-25T02:30:00+01:00", dt.datetime(2026, 10, 25, 1, 30, tzinfo=dt.UTC)),
    ],
)
def test_stamps_in_every_form(sql, text, expected):
    assert sql("instant(?)", text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "today", "now", "2026-13-01T00:00:00", "2026-02-30T00:00:00", "30-03-2026", "31-02-2026 00:00:00", "12",
        "/Date()/", "/Date(x)/", "Date(1774854264000)", "/Date(99999999999999999)/", "25:00",
        "infinity", "Infinity", "-infinity", "epoch",
    ],
)  # fmt: skip
def test_what_is_no_stamp_is_null(sql, text):
    assert sql("instant(?)", text) is None


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00", "0001-01-01T00:00:00.0000000", "0001-01-01T00:00:00Z", "01-01-0001 00:00:00",
        "/Date(-62135596800000)/", "/Date(-62135600400000+0100)/",
    ],
)  # fmt: skip
def test_nets_smallest_time_is_not_set(sql, text):
    assert sql("instant(?)", text) is None


@given(st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2090, 1, 1)), st.integers(0, 7))
@FAST
def test_t6_a_stamp_without_a_zone_is_local_time(sql, naive, decimals):
    naive = naive.replace(fold=0)
    local = naive.replace(tzinfo=ZONE)
    if (
        local.astimezone(dt.UTC).astimezone(ZONE).replace(tzinfo=None) != naive
        or local.utcoffset() != local.replace(fold=1).utcoffset()
    ):
        return  # skipped or repeated by the clocks
    fraction = f".{naive.microsecond:06}0"[: decimals + 1] if decimals else ""
    kept = local.replace(microsecond=int(fraction[1:7].ljust(6, "0")) if decimals else 0)
    assert sql("instant(?)", naive.strftime("%Y-%m-%dT%H:%M:%S") + fraction) == kept
    assert sql("instant(?)", naive.strftime("%d-%m-%Y %H:%M:%S")) == local.replace(microsecond=0)


@given(st.text(max_size=12) | st.from_regex(r"/Date\(-?\d{0,25}\)/", fullmatch=True))
@FAST
def test_no_text_breaks_the_reading_of_stamps(con, text):
    con.execute("SELECT count(instant(?))", [text]).fetchall()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2026-03-30T09:04:24", False), ("2026-03-30T09:04:24.0000000", False), ("2026-03-30", False),
        ("30-03-2026 09:04:24", False), ("2026-03-30T09:04:24Z", True), ("2026-03-30T09:04:24+02:00", True),
        ("2026-03-30T09:04:24-0500", True), ("2026-03-30T02:30+01", True), ("2026-03-30 02:30:00+01", True),
        ("/Date(1774854264000)/", True), ("/Date(1774854264000+0200)/", True),
    ],
)  # fmt: skip
def test_t6_whether_a_stamp_says_its_zone(sql, text, says):
    assert sql("has_zone(?)", text) is says


@pytest.mark.parametrize(
    ("x", "before", "expected"),
    [
        ("2026-10-25T02:10:00+02:00", "2026-10-25T02:50:00+02:00", "2026-10-25T02:10:00+01:00"),
        ("2026-10-25T02:55:00+02:00", "2026-10-25T02:50:00+02:00", "2026-10-25T02:55:00+02:00"),
        ("2026-10-25T12:10:00+01:00", "2026-10-25T12:50:00+01:00", "2026-10-25T12:10:00+01:00"),
    ],
    ids=["second pass", "in order", "in no repeated hour"],
)
def test_t6_an_end_before_its_start_in_the_repeated_hour_is_of_the_second_pass(sql, x, before, expected):
    found = sql("later_pass(?::TIMESTAMPTZ, ?::TIMESTAMPTZ)", x, before)
    assert found == dt.datetime.fromisoformat(expected)


@pytest.mark.parametrize(("x", "before"), [(None, "2026-10-25T02:50:00Z"), ("2026-10-25T02:50:00Z", None)])
def test_an_end_or_start_that_is_missing_changes_nothing(sql, x, before):
    found = sql("later_pass(?::TIMESTAMPTZ, ?::TIMESTAMPTZ)", x, before)
    assert found == (x and dt.datetime.fromisoformat(x))


@given(st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2036, 1, 1), timezones=st.just(dt.UTC)))
@FAST
def test_t7_the_local_day_is_the_zones(sql, instant):
    assert sql("local_day(?::TIMESTAMPTZ)", instant) == instant.astimezone(ZONE).date()


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("True", True), ("1", True), ("false", False), ("0", False), ("maybe", None), ("", None)],
)
def test_flags(sql, text, value):
    assert sql("flag(?)", text) is value


@pytest.mark.parametrize(("text", "value"), [("10", 10), ("-3", -3), ("x", None), ("", None), ("9" * 30, None)])
def test_whole_numbers(sql, text, value):
    assert sql("whole_number(?)", text) == value


# -- phones ---------------------------------------------------------------------------------------------------------


def token(number: str, key: bytes = KEY) -> str:
    return hmac.new(key, number.encode(), "sha256").hexdigest()[:32]


@pytest.mark.parametrize(
    "text",
    [
        "004551806520", "51806520", "+45 51 80 65 20", "+4551806520", "4551806520", "51 80 65 20", "0045 51-80-65-20",
        "(+45) 51806520", "51.80.65.20", "+45\xa051806520",
    ],
)  # fmt: skip
def test_t34_the_spellings_of_one_number_have_one_token(sql, text):
    assert sql("e164(?)", text) == "+4551806520"
    assert sql("token(?)", text) == token("+4551806520")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+46701234567", "+46701234567"), ("0046 70 123 45 67", "+46701234567"), ("0701234567", "0701234567"),
        ("45518065", "+4545518065"), ("112", "112"),
    ],
)  # fmt: skip
def test_t34_other_numbers_keep_their_digits(sql, text, number):
    assert sql("token(?)", text) == token(number)


@pytest.mark.parametrize("text", ["", " ", "unknown", "+", "00", "-", "anonymous"])
def test_t34_what_is_no_number_has_no_token(sql, text):
    assert sql("e164(?)", text) is None
    assert sql("token(?)", text) is None


def test_no_phone_no_token(sql):
    assert sql("token(NULL)") is None


@given(st.binary(max_size=200), st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
@example(b"", "+4551806520")
@example(b"k" * 64, "+4551806520")
@example(b"k" * 65, "+4551806520")
@example(b"'; --\x00\xff", "+4551806520")
@settings(max_examples=30, deadline=None)
def test_a_token_is_hmac_sha256_whatever_the_key(key, number):
    with duckdb.connect() as con:
        con.execute("CREATE MACRO e164(x) AS x")
        define_token(con, key)
        assert con.execute("SELECT token(?)", [number]).fetchall() == [(token(number, key),)]


# -- the connection -------------------------------------------------------------------------------------------------


def test_a_connection_reads_local_time_in_every_cursor(tmp_path):
    with connect(ZoneInfo("America/New_York"), tmp_path) as con, con.cursor() as cursor:
        for each in (con, cursor):
            at = each.execute("SELECT instant('2026-07-01T12:00:00')").fetchall()[0][0]
            assert at == dt.datetime(2026, 7, 1, 16, tzinfo=dt.UTC)


def test_a_connection_spills_to_its_spool_alone(tmp_path):
    with connect(ZONE, tmp_path) as con:
        assert con.execute("SELECT current_setting('temp_directory')").fetchall() == [(str(tmp_path / "spill"),)]


@pytest.mark.parametrize(
    "text", ["plain", "O'Hara", 'quo"ted', "'; DROP TABLE x; --", "æ ø å", "", "back\\slash", "\n"]
)
def test_names_and_texts_reach_sql_as_they_are(con, text):
    assert con.execute(f"SELECT {literal(text)}").fetchall() == [(text,)]
    if text:
        con.execute(f"SELECT 1 AS {quoted(text)}")
        assert con.description[0][0] == text


def test_a_number_is_the_one_of_a_query(con):
    assert number(con, "SELECT $n + 1", {"n": 41}) == 42


# -- references and codes ---------------------------------------------------------------------------------------------


@given(st.text(st.sampled_from("aÅå\u030aø \t\u00a0"), max_size=8))
@FAST
@example("A\u030arhus ")
def test_codes_that_look_alike_are_one(sql, text):
    assert sql("spelled(?)", text) == (code_of(text) or None)


@pytest.mark.parametrize("value", ["[]", "[ ]", "0", "false", "true", "null", '["a"]'])
def test_what_is_no_reference_is_none(sql, value):
    assert sql("no_reference(?)", value)


@pytest.mark.parametrize("value", ["{}", "00", "AGENT_1", "0001", "falsey"])
def test_what_may_be_a_code_is_taken_for_one(sql, value):
    assert not sql("no_reference(?)", value)


def test_what_has_happened_is_not_after_tomorrow_nor_before_1990(sql):
    now = dt.datetime.now(dt.UTC)
    for shift, known in ((dt.timedelta(hours=23), True), (dt.timedelta(hours=25), False), (dt.timedelta(0), True)):
        stamp = (now + shift).isoformat()
        assert sql("happened(?) IS NOT NULL", stamp) is known
    assert sql("happened('1990-01-01T00:00:00Z') IS NOT NULL")
    assert sql("happened('1989-12-31T23:59:59Z')") is None
