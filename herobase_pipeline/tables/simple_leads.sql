-- The lead versions of one local day, of simple_leads or search_leads: those seen before and those pulled now (trap T1). A
-- version that is seen again keeps the time and the origin of its first sight. What is in it that this version of the program
-- does not know makes no version: its form is the one seen last. Leads that were not pulled now stay as they are.
WITH
before AS (
    SELECT * REPLACE ($day AS modified_date, closure_codes(closure_data) AS closure_data, kinds(extra) AS extra) FROM seen
),
touched AS (  -- in files of older versions, what is now one version may stand twice
    SELECT lead_id FROM pulled_leads
    UNION
    SELECT lead_id FROM before GROUP BY lead_id, last_modified_at HAVING count(*) > 1
)
FROM before ANTI JOIN touched USING (lead_id)
UNION ALL BY NAME
SELECT
    * EXCLUDE (observed_at, origin, extra, closure_data, lead_pool),
    arg_max(lead_pool, (observed_at, lead_pool)) AS lead_pool,  -- files of older versions have none
    arg_max(closure_data, (observed_at, closure_data)) AS closure_data,
    arg_max(extra, (observed_at, extra)) AS extra,
    min(observed_at) AS observed_at,
    arg_min(origin, observed_at) AS origin
FROM (
    FROM before SEMI JOIN touched USING (lead_id)
    UNION ALL BY NAME
    SELECT
        * REPLACE (coalesce(campaign_id, campaign_code) AS campaign_id, closure_codes(closure_data) AS closure_data),
        $day AS modified_date,
        $observed_at AS observed_at,
        -- two days: a version pulled later may have been one of several that are gone (trap T3)
        CASE WHEN last_modified_at >= $observed_at - INTERVAL 48 HOURS THEN 'observed' ELSE 'backfilled' END AS origin
    FROM pulled_leads
    WHERE last_modified_at >= $day_start AND last_modified_at < $day_end
)
GROUP BY ALL
