-- Names and parents of units as the calls tell them, from what they told on each day: in any order of backfill the same.
WITH
daily AS (
    FROM org_sightings WHERE date NOT IN (FROM gone_days)
    UNION ALL BY NAME
    SELECT  -- what the calls told that are past their time and gone
        local_day(valid_from) AS date,
        lower(org_code) AS unit,
        org_name,
        lower(parent_code) AS parent,
        valid_from AS first_at,
        {'org_code': org_code, 'parent_code': parent_code} AS spelled
    FROM past WHERE local_day(valid_from) IN (FROM gone_days)
),
compared AS (
    SELECT *, (org_name, parent) IS DISTINCT FROM lag((org_name, parent)) OVER (PARTITION BY unit ORDER BY date) AS is_new
    FROM daily
),
numbered AS (
    SELECT *, count(*) FILTER (is_new) OVER (PARTITION BY unit ORDER BY date) AS version FROM compared
),
versions AS (
    SELECT
        unit,
        any_value(org_name) AS org_name,
        arg_max(spelled, date) AS spelled,
        min(first_at) AS valid_from
    FROM numbered
    GROUP BY unit, version
)
SELECT
    spelled.org_code AS org_code,
    org_name,
    spelled.parent_code AS parent_code,
    valid_from,
    lead(valid_from) OVER each_unit AS valid_to,
    last_value(org_name) OVER each_unit AS latest_name
FROM versions
WINDOW each_unit AS (
    PARTITION BY unit ORDER BY valid_from ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
)
