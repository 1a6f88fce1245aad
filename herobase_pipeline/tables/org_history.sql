-- Names and parents of units as the calls tell them: from the last call of each day, so in any order of backfill the same.
-- Paths that were not on the call itself are those of the day of the pull, which says nothing of that time.
WITH
paths AS (
    SELECT date, org_path, org_names, min(started_at) AS first_at, max((started_at, call_id)) AS last_call
    FROM calls
    WHERE org_source = 'call' AND date NOT IN (FROM gone_days)
    GROUP BY date, org_path, org_names
),
sightings AS (
    SELECT
        *,
        unnest(range(1, len(org_path) + 1)) AS level,
        org_path[level] AS org_code,
        org_names[level] AS org_name,
        if(level > 1, org_path[level - 1], NULL) AS parent_code
    FROM paths
),
states AS (
    SELECT
        date,
        lower(org_code) AS unit,
        org_name,
        lower(parent_code) AS parent,
        min(first_at) AS first_at,
        max(last_call) AS last_call,
        arg_max({'org_code': org_code, 'parent_code': parent_code}, last_call) AS spelled
    FROM sightings
    GROUP BY date, unit, org_name, parent
),
daily AS (
    SELECT date, unit, org_name, parent, first_at, spelled
    FROM states QUALIFY row_number() OVER (PARTITION BY date, unit ORDER BY last_call DESC) = 1
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
