-- The fields of leads on a local day: those seen before, and those pulled now that are not as they were last. A lead comes
-- with all its fields, so one that it had and has no more is gone: its content is NULL from now on.
WITH
pulled_fields AS (
    SELECT DISTINCT lead_id, coalesce(field_name, '') AS field_name, coalesce("wire:FieldValue", '') AS field_value FROM pulled
),
last_seen AS (
    SELECT * FROM seen
    QUALIFY observed_at = max(observed_at) OVER (PARTITION BY lead_id, field_name)
)
FROM seen
UNION ALL BY NAME
SELECT pulled_fields.*, $observed_at AS observed_at
FROM pulled_fields
ANTI JOIN last_seen USING (lead_id, field_name, field_value)
UNION ALL BY NAME
SELECT DISTINCT lead_id, field_name, NULL::VARCHAR AS field_value, $observed_at AS observed_at
FROM last_seen
SEMI JOIN pulled_fields USING (lead_id)
ANTI JOIN pulled_fields USING (lead_id, field_name)
WHERE field_value IS NOT NULL
