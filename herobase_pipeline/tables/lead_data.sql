-- The fields of each lead version of one local day: those seen before and those pulled now (trap T1).
SELECT DISTINCT * FROM (
    SELECT * FROM seen
    UNION ALL BY NAME
    SELECT lead_id, last_modified_at, data, custom_data
    FROM pulled_leads
    WHERE last_modified_at >= $day_start AND last_modified_at < $day_end
)
