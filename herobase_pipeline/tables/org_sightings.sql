-- Each unit on each day: its name and parent as the last call of the day told them, and when the first did.
-- Paths that were not on the call itself are those of the day of the pull, which says nothing of that time.
WITH
paths AS (
    SELECT date, org_path, org_names, min(started_at) AS first_at, max((started_at, call_id)) AS last_call
    FROM calls
    WHERE org_source = 'call'
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
)
SELECT date, unit, org_name, parent, first_at, spelled
FROM states QUALIFY row_number() OVER (PARTITION BY date, unit ORDER BY last_call DESC) = 1
