-- What saved searches gave as CSV on a local day: the rows seen before, and those pulled now that are not as they were last.
WITH
pulled_rows AS (
    SELECT DISTINCT asked AS search, lead_id, fields FROM pulled
),
last_seen AS (  -- of rows without an id nobody knows which took the place of which
    SELECT * FROM seen
    QUALIFY lead_id IS NULL OR observed_at = max(observed_at) OVER (PARTITION BY search, lead_id)
)
FROM seen
UNION ALL BY NAME
SELECT pulled_rows.*, $observed_at AS observed_at
FROM pulled_rows
ANTI JOIN last_seen
    ON last_seen.search = pulled_rows.search
    AND last_seen.lead_id IS NOT DISTINCT FROM pulled_rows.lead_id
    AND last_seen.fields = pulled_rows.fields
