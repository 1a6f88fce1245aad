-- Calls by end cause, per day and local hour, org node and campaign.
WITH of_days AS (FROM calls WHERE date BETWEEN $first_day AND $last_day)
FROM calls_counted('of_days', 'complete_days', true)
