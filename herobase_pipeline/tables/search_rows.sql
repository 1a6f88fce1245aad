-- What saved searches gave as CSV on a local day: the rows seen before, and those of the leads that are not as they were last. Of a
-- lead that came in several answers the last one counts. Rows without an id are added where they are new.
WITH
pulled_rows AS (
    SELECT asked AS search, lead_id, list_sort(list(DISTINCT fields)) AS rows
    FROM (FROM pulled QUALIFY lead_id IS NULL OR document = max(document) OVER (PARTITION BY asked, lead_id))
    GROUP BY ALL
),
last_seen AS (
    SELECT search, lead_id, list_sort(list(DISTINCT fields)) AS rows
    FROM (FROM seen QUALIFY lead_id IS NULL OR observed_at = max(observed_at) OVER (PARTITION BY search, lead_id))
    GROUP BY ALL
)
FROM seen
UNION ALL BY NAME
SELECT
    pulled_rows.search,
    pulled_rows.lead_id,
    unnest(
        if(
            pulled_rows.lead_id IS NULL,
            list_filter(pulled_rows.rows, lambda fields: NOT list_contains(coalesce(last_seen.rows, []), fields)),
            pulled_rows.rows
        )
    ) AS fields,
    $observed_at AS observed_at
FROM pulled_rows
LEFT JOIN last_seen
    ON last_seen.search = pulled_rows.search AND last_seen.lead_id IS NOT DISTINCT FROM pulled_rows.lead_id
WHERE last_seen.rows IS DISTINCT FROM pulled_rows.rows
