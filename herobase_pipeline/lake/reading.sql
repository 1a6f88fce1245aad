-- How the text of the wire becomes a value. Each form is listed in the API reference, section 5; what is none of them
-- becomes NULL and is counted as unreadable by the pull. The connection's TimeZone is the zone of stamps without one.

-- An instant: ISO with 0-7 decimals, with or without Z or offset; dd-MM-yyyy HH:mm:ss (webhooks, trap T6); /Date(ms)/.
-- .NET's DateTime.MinValue stands for "not set".
CREATE MACRO instant(x) AS CASE WHEN x NOT LIKE '0001-%' THEN coalesce(
    try_cast(x AS TIMESTAMPTZ),
    timezone(current_setting('TimeZone'), try_strptime(x, '%d-%m-%Y %H:%M:%S')),
    to_timestamp(try_cast(regexp_extract(x, '^/Date\((-?\d+)([+-]\d{4})?\)/$', 1) AS BIGINT) / 1000)
) END;

-- Whether a stamp says its own zone.
CREATE MACRO has_zone(x) AS regexp_matches(x, '([zZ]|[+-]\d\d:?\d\d|\)/)$');

-- Seconds: ISO 8601 with days, hours, minutes, seconds and fractions; [d.]hh:mm:ss of .NET; a number (trap T33).
CREATE MACRO seconds(x) AS CASE
    WHEN regexp_full_match(x, 'PT(\d+H)?(\d+M)?(\d+([.,]\d+)?S)?') AND x <> 'PT'
        THEN epoch(try_cast(replace(substr(x, 3), ',', '.') AS INTERVAL))
    WHEN regexp_full_match(x, '-?P(\d+D)?(T(\d+H)?(\d+M)?(\d+([.,]\d+)?S)?)?') AND NOT regexp_matches(x, '[PT]$')
        THEN CASE WHEN x LIKE '-%' THEN -1 ELSE 1 END * (
            86400 * coalesce(try_cast(regexp_extract(x, '(\d+)D', 1) AS DOUBLE), 0)
            + 3600 * coalesce(try_cast(regexp_extract(x, '(\d+)H', 1) AS DOUBLE), 0)
            + 60 * coalesce(try_cast(regexp_extract(x, '(\d+)M', 1) AS DOUBLE), 0)
            + coalesce(try_cast(replace(regexp_extract(x, '(\d+([.,]\d+)?)S', 1), ',', '.') AS DOUBLE), 0))
    WHEN regexp_full_match(x, '-?(\d+\.)?\d+:\d\d:\d\d(\.\d+)?')
        THEN CASE WHEN x LIKE '-%' THEN -1 ELSE 1 END * (
            86400 * coalesce(try_cast(regexp_extract(x, '(\d+)\.\d+:', 1) AS DOUBLE), 0)
            + 3600 * try_cast(regexp_extract(x, '(\d+):\d\d:', 1) AS DOUBLE)
            + 60 * try_cast(regexp_extract(x, ':(\d\d):', 1) AS DOUBLE)
            + try_cast(regexp_extract(x, ':(\d\d(\.\d+)?)$', 1) AS DOUBLE))
    WHEN regexp_full_match(x, '-?\d+(\.\d+)?') THEN try_cast(x AS DOUBLE)
END;

CREATE MACRO flag(x) AS try_cast(x AS BOOLEAN);
CREATE MACRO whole_number(x) AS try_cast(x AS BIGINT);

-- A phone number in E.164, as far as a token needs it: punctuation dropped, 00 for +, eight digits are Danish (T34).
CREATE MACRO digits(x) AS regexp_replace(regexp_replace(x, '[^0-9+]', '', 'g'), '^00', '+');
CREATE MACRO e164(x) AS CASE
    WHEN length(digits(x)) = 0 THEN NULL
    WHEN starts_with(digits(x), '+') THEN digits(x)
    WHEN length(digits(x)) = 8 THEN '+45' || digits(x)
    WHEN length(digits(x)) = 10 AND starts_with(digits(x), '45') THEN '+' || digits(x)
    ELSE digits(x)
END;

-- HMAC-SHA256 (RFC 2104); the two padded keys are variables of the connection.
CREATE MACRO token(x) AS sha256(getvariable('outer_key') || unhex(sha256(getvariable('inner_key') || encode(x))));

-- A stamp without a zone that seems to lie before the one it follows, in the hour that occurs twice: its second pass.
CREATE MACRO later_pass(x, before) AS CASE WHEN x < before THEN
    CASE WHEN timezone(current_setting('TimeZone'), x) = timezone(current_setting('TimeZone'), x + INTERVAL 1 HOUR)
        THEN x + INTERVAL 1 HOUR ELSE x END
ELSE x END;

CREATE MACRO local_day(x) AS CAST(timezone(current_setting('TimeZone'), x) AS DATE);
