-- Calls by end cause, per day, org node and campaign.
WITH of_days AS (FROM calls WHERE date BETWEEN $first_day AND $last_day)
SELECT * EXCLUDE (hour) FROM calls_counted('of_days', 'complete_days', false)
