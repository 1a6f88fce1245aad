-- How the text of the wire becomes a value. Each form is listed in the API reference, section 5; what is none of them
-- becomes NULL and is counted as unreadable by the pull. The connection's TimeZone is the zone of stamps without one.

-- Whether a stamp stands for "not set": .NET's DateTime.MinValue and MaxValue, and the year 1900 of databases, in each form.
CREATE MACRO no_instant(x) AS regexp_matches(
    x, '^(0001-|9999-|1900-01-01|01-01-0001|01-01-1900|31-12-9999|/Date\((-62135|-2208[89]|2534?0)\d{8,9}\D)');

-- An instant: ISO with 0-7 decimals, with or without Z or offset; dd-MM-yyyy HH:mm:ss (webhooks, trap T6); /Date(ms)/.
CREATE MACRO instant(x) AS CASE WHEN NOT regexp_matches(x, '^-?[a-zA-Z]') AND NOT no_instant(x) THEN coalesce(
    try_cast(x AS TIMESTAMPTZ),
    timezone(current_setting('TimeZone'), try_strptime(x, '%d-%m-%Y %H:%M:%S')),
    to_timestamp(try_cast(regexp_extract(x, '^/Date\((-?\d{1,14})([+-]\d{4})?\)/$', 1) AS BIGINT) / 1000)
) END;

-- The instant of something that has happened: no year before 1990, as of a stamp with two digits, and not after tomorrow.
-- A pull replaces tomorrow by its own, as the day that is asked for and HeroBase's clock count too.
CREATE MACRO tomorrow() AS now() + INTERVAL 1 DAY;
CREATE MACRO happened_ever(x) AS list_filter(
    [instant(x)], lambda found: found BETWEEN TIMESTAMPTZ '1990-01-01 00:00:00+00' AND tomorrow()
)[1];  -- as CASE would read it twice
-- What the clock showed at an ISO stamp without a zone, blanks around it aside; NULL of any other.
CREATE MACRO clock(x) AS try_strptime(x, ['%Y-%m-%dT%H:%M:%S.%n', '%Y-%m-%dT%H:%M:%S']);
-- The instant of what a clock showed in the days around a pull's, if these have one offset: a fifth of the work of a cast.
-- A pull replaces happened_then by what knows its days.
CREATE MACRO happened_then(clock) AS NULL::TIMESTAMPTZ;
CREATE MACRO happened(x) AS coalesce(happened_then(clock(x)), happened_ever(x));

-- Whether a stamp says its own zone. A day alone does not, though it ends like an offset.
CREATE MACRO has_zone(x) AS regexp_matches(x, '(?i)(\dZ|\)/| (UTC|GMT)|:\d\d([.,]\d+)? ?[+-]\d\d(:?\d\d(:\d\d)?)?)$');

-- Whether a value cannot be what a reference holds, which is a code, an id or an object.
CREATE MACRO no_reference(x) AS regexp_matches(x, '^(\[|(0|true|false|null)$)');
-- A code or an id in the one spelling of all that look alike: without blanks around it, in one Unicode form.
CREATE MACRO spelled(x) AS nullif(
    -- trim is slow, and few have anything before the first sign in ASCII, or a no-break space, at an end
    CASE WHEN x < '!' OR x[-1] < '!' OR starts_with(x, chr(160)) OR ends_with(x, chr(160))
        THEN trim(nfc_normalize(x), E' \t\r\n' || chr(160)) ELSE nfc_normalize(x) END, '');
-- A lead's id as it is compared, whatever its case; and whether it is what an erased lead is called instead.
CREATE MACRO plain_id(x) AS upper(spelled(x));
CREATE MACRO is_alias(x) AS coalesce(starts_with(x, 'erased-'), false);
CREATE MACRO is_empty(x) AS regexp_matches(x, '^(\[\s*\]|null|)$');

-- Seconds: ISO 8601 with days, hours, minutes, seconds and fractions; [d.]hh:mm:ss of .NET; a number (trap T33).
-- Each form is turned into the text of an interval; hours and minutes alone would be ambiguous.
CREATE MACRO interval_text(x) AS regexp_replace(regexp_replace(regexp_replace(regexp_replace(x,
    '^-?P(\d+D)?(T|$)', '\1 '),
    '^-?(\d+)\.(\d+:\d\d:)', '\1D \2'),
    '^-?(\d+(\.\d+)?)$', '\1S'),
    '^-|^\d+:\d+$', '');
CREATE MACRO seconds(x) AS CASE
    WHEN starts_with(x, 'PT') AND NOT contains(x, ',') THEN epoch(try_cast(substr(x, 3) AS INTERVAL))
    WHEN x LIKE 'PT_%' THEN epoch(try_cast(replace(substr(x, 3), ',', '.') AS INTERVAL))
    ELSE epoch(try_cast(interval_text(replace(x, ',', '.')) AS INTERVAL)) * (1 - 2 * starts_with(x, '-')::INTEGER)
END;

-- Whether a text may hold a customer's phone number or mail address: eight digits or more, stamps aside, or an @.
CREATE MACRO may_identify(x) AS regexp_matches(
    regexp_replace(x, '\d{4}-\d\d-\d\d(T[\d:.]+)?', '', 'g'), '\d([\s./()-]*\d){7,}|@');

-- The kind of a JSON value; what is a kind already stays it.
CREATE MACRO kind(x) AS CASE
    WHEN x IN ('"text"', '"number"', '"flag"', '"list"', '"object"') THEN trim(x, '"')
    ELSE CASE left(ltrim(x), 1)
        WHEN '"' THEN 'text' WHEN '{' THEN 'object' WHEN '[' THEN 'list' WHEN 't' THEN 'flag' WHEN 'f' THEN 'flag' ELSE 'number'
    END
END;

-- Of a JSON object the names and the kinds of value, as ``extra`` has them; files of older versions have values there.
CREATE MACRO is_kinds(x) AS
    regexp_full_match(x, '\{("([^"\\]|\\.)*":"(text|number|flag|list|object)",?)*\}') AND NOT may_identify(x);
CREATE MACRO kinds(x) AS CASE WHEN x IS NULL OR is_kinds(x) THEN x ELSE
    '{' || array_to_string(list_sort(list_distinct(list_transform(
        map_entries(from_json(x, '"MAP(VARCHAR, JSON)"')),
        lambda field: CASE WHEN may_identify(field.key) THEN '"withheld":"text"'
            ELSE to_json(field.key)::VARCHAR || ':"' || kind(field.value::VARCHAR) || '"' END
    ))), ',') || '}'
END;

-- Of closureData (an array, or a single item) the codes: what is called so, and texts that look like one, as no name of a
-- person does: no blank, and a digit or an underscore in it. All else is withheld.
CREATE MACRO is_code(x) AS coalesce(regexp_full_match(x, '[A-Za-z0-9_.-]{1,40}') AND NOT may_identify(x), false);
CREATE MACRO code_of(item) AS coalesce(item ->> '$.code', item ->> '$.Code', item ->> '$.CODE');
CREATE MACRO closure_codes(x) AS CASE WHEN x NOT IN ('[]', 'null', '""', '') THEN
    '[' || array_to_string(list_transform(
        CASE WHEN NOT json_valid(x) THEN ['null'::JSON] WHEN json_type(x) = 'ARRAY' THEN from_json(x, '["JSON"]') ELSE [x::JSON] END,
        lambda item: CASE
            WHEN is_code(code_of(item)) THEN '{"code":' || to_json(code_of(item))::VARCHAR || '}'
            WHEN is_code(item ->> '$') AND regexp_matches(item ->> '$', '[0-9_]') THEN to_json(item ->> '$')::VARCHAR
            ELSE '"withheld"'
        END
    ), ',') || ']'
END;

-- A text that may be empty.
CREATE MACRO as_given(x) AS x;

CREATE MACRO flag(x) AS coalesce(try_cast(x AS BOOLEAN), try_cast(trim(x) AS BOOLEAN));
CREATE MACRO whole_number(x) AS try_cast(x AS BIGINT);

-- A phone number in E.164, as far as a token needs it: punctuation dropped, 00 for +, eight digits are Danish (T34).
CREATE MACRO e164(x) AS CASE WHEN regexp_full_match(x, '\+\d+') THEN x ELSE nullif(nullif(
    regexp_replace(regexp_replace(regexp_replace(x,
    '[^0-9+]', '', 'g'),
    '^00', '+'),
    '^(45)?(\d{8})$', '+45\2'), ''), '+')
END;

-- A stamp without a zone that seems to lie before the one it follows, in the hour that occurs twice: its second pass.
CREATE MACRO later_pass(x, before) AS CASE WHEN x < before THEN
    CASE WHEN timezone(current_setting('TimeZone'), x) = timezone(current_setting('TimeZone'), x + INTERVAL 1 HOUR)
        THEN x + INTERVAL 1 HOUR ELSE x END
ELSE x END;

CREATE MACRO local_day(x) AS CAST(timezone(current_setting('TimeZone'), x) AS DATE);
