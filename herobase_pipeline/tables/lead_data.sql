-- The fields of each lead version of one local day, for lead_data or search_lead_data: those seen before and those pulled
-- now (trap T1). Files of older versions have the content of unknown fields in simple_leads (seen_versions), from where it
-- is taken over.
WITH
moved AS (
    SELECT
        lead_id,
        last_modified_at,
        max(extra) FILTER (NOT is_kinds(extra)) AS extra,
        max(closure_data) FILTER (closure_data <> closure_codes(closure_data) AND closure_data <> '"withheld"') AS closure_data
    FROM seen_versions
    GROUP BY ALL
    HAVING extra IS NOT NULL OR closure_data IS NOT NULL
),
before AS (
    SELECT seen.* REPLACE (
        coalesce(seen.closure_data, moved.closure_data) AS closure_data, coalesce(seen.extra, moved.extra) AS extra
    )
    FROM seen LEFT JOIN moved USING (lead_id, last_modified_at)
),
touched AS (
    SELECT lead_id FROM pulled_data
    UNION
    SELECT lead_id FROM before GROUP BY lead_id, last_modified_at HAVING count(*) > 1
)
FROM before ANTI JOIN touched USING (lead_id)
UNION ALL BY NAME
SELECT
    * EXCLUDE (closure_data, extra, is_new),
    arg_max(closure_data, (is_new, closure_data)) AS closure_data,
    arg_max(extra, (is_new, extra)) AS extra
FROM (
    SELECT *, false AS is_new FROM before SEMI JOIN touched USING (lead_id)
    UNION ALL BY NAME
    SELECT * REPLACE (nullif(closure_data, '[]') AS closure_data), true AS is_new
    FROM pulled_data
    WHERE last_modified_at >= $day_start AND last_modified_at < $day_end
)
GROUP BY ALL
