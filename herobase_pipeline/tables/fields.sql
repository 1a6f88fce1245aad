-- How the text of a lead's field becomes a value (trap T32). What is none of these forms becomes NULL, and is kept raw.

-- Without what stands around it; nothing is NULL.
CREATE OR REPLACE TEMP MACRO plain(x) AS nullif(trim(x, ' ' || chr(9) || chr(10) || chr(13) || chr(160)), '');

-- Digits, in threes by a point or a space or not at all, and decimals after a comma: 1.234,50
CREATE OR REPLACE TEMP MACRO da_number(x) AS CASE
    WHEN regexp_full_match(plain(x), '[+-]?(\d+|\d{1,3}(\.\d{3})+|\d{1,3}([ \x{a0}]\d{3})+)(,\d+)?')
    THEN try_cast(replace(regexp_replace(plain(x), '[. \x{a0}]', '', 'g'), ',', '.') AS DOUBLE)
END;

-- The same by the English way: 1,234.50
CREATE OR REPLACE TEMP MACRO en_number(x) AS CASE
    WHEN regexp_full_match(plain(x), '[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?')
    THEN try_cast(replace(plain(x), ',', '') AS DOUBLE)
END;

-- A day, perhaps with a midnight behind it: 2026-12-31. Years of two digits could be of either century.
CREATE OR REPLACE TEMP MACRO bare_day(x) AS regexp_replace(plain(x), '[ T]00:00(:00(\.0+)?)?$', '');
CREATE OR REPLACE TEMP MACRO en_date(x) AS CASE
    -- nothing else, as 1/2/2026 is one day to a Briton and another to an American
    WHEN regexp_full_match(bare_day(x), '\d{4}-\d\d?-\d\d?') THEN try_strptime(bare_day(x), '%Y-%m-%d')::DATE
END;

-- Also day, month, year: 31-12-2026, 1.2.2026, 1/2/2026 and 1/2-2026.
CREATE OR REPLACE TEMP MACRO da_date(x) AS CASE
    WHEN regexp_full_match(bare_day(x), '\d\d?[-./]\d\d?[-./]\d{4}')
    THEN try_strptime(regexp_replace(bare_day(x), '[./]', '-', 'g'), '%d-%m-%Y')::DATE
    ELSE en_date(x)
END;

CREATE OR REPLACE TEMP MACRO da_flag(x) AS CASE
    WHEN lower(plain(x)) IN ('ja', 'j', 'sand', 'true', '1') THEN true
    WHEN lower(plain(x)) IN ('nej', 'n', 'falsk', 'false', '0') THEN false
END;
CREATE OR REPLACE TEMP MACRO en_flag(x) AS CASE
    WHEN lower(plain(x)) IN ('yes', 'y', 'true', '1') THEN true
    WHEN lower(plain(x)) IN ('no', 'n', 'false', '0') THEN false
END;

-- A day and a time of it; without a zone by the business zone.
CREATE OR REPLACE TEMP MACRO en_instant(x) AS CASE
    WHEN regexp_full_match(plain(x), '\d{4}-\d\d-\d\d[ T]\d\d?:\d\d.*') THEN instant(plain(x))
END;
CREATE OR REPLACE TEMP MACRO da_instant(x) AS CASE
    WHEN regexp_full_match(plain(x), '\d\d?-\d\d?-\d{4} \d\d?:\d\d') THEN instant(plain(x) || ':00')
    WHEN regexp_full_match(plain(x), '\d\d?-\d\d?-\d{4} \d\d?:\d\d:\d\d') THEN instant(plain(x))
    ELSE en_instant(x)
END;
