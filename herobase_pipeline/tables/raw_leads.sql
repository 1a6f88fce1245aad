-- The fields of leads on a local day: those seen before, and those that are not as they were last. Of a lead that came in several
-- answers the last one counts. It comes with all its fields, so one that it had and has no more is gone: its content is NULL from
-- now on, if every row could be read.
WITH
pulled_fields AS (
    SELECT lead_id, coalesce(field_name, '') AS field_name, list_sort(list(DISTINCT coalesce(field_value, ''))) AS texts
    FROM (FROM pulled QUALIFY document = max(document) OVER (PARTITION BY lead_id))
    GROUP BY ALL
),
last_seen AS (
    SELECT lead_id, field_name, list_sort(list(DISTINCT field_value)) AS texts, count(field_value) = 0 AS is_gone
    FROM (FROM seen QUALIFY observed_at = max(observed_at) OVER (PARTITION BY lead_id, field_name))
    GROUP BY ALL
)
FROM seen
UNION ALL BY NAME
SELECT lead_id, field_name, unnest(pulled_fields.texts) AS field_value, $observed_at AS observed_at
FROM pulled_fields
LEFT JOIN last_seen USING (lead_id, field_name)
WHERE last_seen.texts IS DISTINCT FROM pulled_fields.texts
UNION ALL BY NAME
SELECT lead_id, field_name, NULL::VARCHAR AS field_value, $observed_at AS observed_at
FROM last_seen
SEMI JOIN pulled_fields USING (lead_id)
ANTI JOIN pulled_fields USING (lead_id, field_name)
WHERE NOT is_gone AND $is_whole
