-- The number each call of the day dialled, and what its unknown fields hold; of an erased person neither.
SELECT call_id, min(phone) AS phone, max(extra_private) AS extra
FROM pulled_calls
WHERE started_at >= $day_start AND started_at < $day_end AND (phone IS NOT NULL OR extra_private IS NOT NULL)
    AND NOT is_forgotten(lead_id, phone_token)
GROUP BY call_id
