-- How the text of a lead's field becomes a value (trap T32). What is none of these forms becomes NULL, and is kept raw.

-- Without what stands around it, invisible signs and the spaces that do not break a line too; nothing is NULL.
CREATE OR REPLACE TEMP MACRO plain(x) AS
    nullif(regexp_replace(x, '^[\s\x{a0}\x{2009}\x{200b}\x{202f}\x{feff}]+|[\s\x{a0}\x{2009}\x{200b}\x{202f}\x{feff}]+$', '', 'g'), '');

-- A number as DuckDB reads one: finite, and with a minus of the keyboard.
CREATE OR REPLACE TEMP MACRO finite(x) AS
    CASE WHEN isfinite(try_cast(replace(x, '−', '-') AS DOUBLE)) THEN try_cast(replace(x, '−', '-') AS DOUBLE) END;

-- Digits, in threes by a point or a space or not at all, and decimals after a comma: 1.234,50. No group begins with 0.
CREATE OR REPLACE TEMP MACRO da_number(x) AS CASE
    WHEN regexp_full_match(x, '[+−-]?(\d+|[1-9]\d{0,2}(\.\d{3})+|[1-9]\d{0,2}([ \x{a0}\x{2009}\x{202f}]\d{3})+)(,\d+)?')
    THEN finite(replace(regexp_replace(x, '[. \x{a0}\x{2009}\x{202f}]', '', 'g'), ',', '.'))
END;

-- The same by the English way: 1,234.50
CREATE OR REPLACE TEMP MACRO en_number(x) AS CASE
    WHEN regexp_full_match(x, '[+−-]?(\d+|[1-9]\d{0,2}(,\d{3})+)(\.\d+)?')
    THEN finite(replace(x, ',', ''))
END;

-- Days that can be meant: 0001-01-01 and 9999-12-31 are how programs write "none", and other readers fail at year 0.
CREATE OR REPLACE TEMP MACRO meant(day) AS CASE WHEN year(day) BETWEEN 1800 AND 2999 THEN day END;

-- A day, perhaps with a midnight behind it: 2026-12-31. Years of two digits could be of either century.
CREATE OR REPLACE TEMP MACRO bare_day(x) AS regexp_replace(x, '[ T]00:00(:00(\.0+)?)?$', '');
CREATE OR REPLACE TEMP MACRO en_date(x) AS CASE
    -- nothing else, as 1/2/2026 is one day to a Briton and another to an American
    WHEN regexp_full_match(bare_day(x), '\d{4}-\d\d?-\d\d?') THEN meant(try_strptime(bare_day(x), '%Y-%m-%d')::DATE)
END;

-- Also day, month, year: 31-12-2026, 1.2.2026, 1/2/2026 and 1/2-2026.
CREATE OR REPLACE TEMP MACRO da_date(x) AS CASE
    WHEN regexp_full_match(bare_day(x), '\d\d?[-./]\d\d?[-./]\d{4}')
    THEN meant(try_strptime(regexp_replace(bare_day(x), '[./]', '-', 'g'), '%d-%m-%Y')::DATE)
    ELSE en_date(x)
END;

CREATE OR REPLACE TEMP MACRO da_flag(x) AS CASE
    WHEN lower(x) IN ('ja', 'j', 'sand', 'true', '1') THEN true
    WHEN lower(x) IN ('nej', 'n', 'falsk', 'false', '0') THEN false
END;
CREATE OR REPLACE TEMP MACRO en_flag(x) AS CASE
    WHEN lower(x) IN ('yes', 'y', 'true', '1') THEN true
    WHEN lower(x) IN ('no', 'n', 'false', '0') THEN false
END;

-- A day and a time of it; without a zone by the business zone.
CREATE OR REPLACE TEMP MACRO en_instant(x) AS CASE
    WHEN regexp_full_match(x, '\d{4}-\d\d-\d\d[ T]\d\d?:\d\d.*') THEN meant(instant(x))
END;
CREATE OR REPLACE TEMP MACRO da_instant(x) AS CASE
    WHEN regexp_full_match(x, '\d\d?[-./]\d\d?[-./]\d{4} \d\d?[:.]\d\d([:.]\d\d)?') THEN meant(instant(
        regexp_replace(split_part(x, ' ', 1), '[./]', '-', 'g') || ' ' || replace(split_part(x, ' ', 2), '.', ':')
        || if(length(split_part(x, ' ', 2)) < 6, ':00', '')
    ))
    ELSE en_instant(x)
END;

-- JSON that is an object; of anything else, nothing.
CREATE OR REPLACE TEMP MACRO object(x) AS CASE WHEN json_valid(x) AND json_type(x) = 'OBJECT' THEN x END;
