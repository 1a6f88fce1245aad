-- Closed leads by closure, per day of closing, org node of the credited call, campaign and lead pool.
WITH
leaves AS (
    SELECT
        closed_date AS day,
        org_path,
        arg_max(org_names, (closed_at, lead_id)) AS org_names,
        max(closed_at) AS latest,
        campaign_id,
        lead_pool,
        closure,
        count(*) AS leads,
        count(*) FILTER (attribution = 'closing_call') AS by_closing_call,
        count(*) FILTER (attribution = 'last_contact') AS by_last_contact,
        count(*) FILTER (attribution = 'lead_user') AS by_lead_user,
        count(*) FILTER (attribution = 'system') AS by_system,
        count(*) FILTER (NOT credited_incoming) AS outbound,
        coalesce(sum(attempts_to_close) FILTER (NOT credited_incoming), 0) AS attempts
    FROM leads
    WHERE closed_at IS NOT NULL
    GROUP BY closed_date, org_path, campaign_id, lead_pool, closure
),
counted AS (
    SELECT
        day AS closed_date,
        org_level,
        org_path,
        org_key,
        org_code,
        org_name,
        campaign_id,
        lead_pool,
        closure,
        sum(leads) AS leads,
        sum(by_closing_call) AS by_closing_call,
        sum(by_last_contact) AS by_last_contact,
        sum(by_lead_user) AS by_lead_user,
        sum(by_system) AS by_system,
        sum(outbound) AS outbound,
        sum(attempts) AS attempts
    FROM rolled_up('leaves')
    GROUP BY ALL
    UNION ALL BY NAME
    SELECT * EXCLUDE (is_mature) FROM kept  -- the days of which no lead has changed
)
SELECT counted.*, through IS NOT NULL AS is_mature
FROM counted LEFT JOIN complete_days ON day = closed_date
