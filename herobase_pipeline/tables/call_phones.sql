-- The number each call of the day dialled.
SELECT call_id, min(phone) AS phone
FROM pulled
WHERE started_at >= $day_start AND started_at < $day_end AND phone IS NOT NULL
GROUP BY call_id
