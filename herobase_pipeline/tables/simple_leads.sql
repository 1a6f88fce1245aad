-- The lead versions of one local day: those seen before and those pulled now (trap T1). A version that is seen again
-- keeps the time and the origin of its first sight.
SELECT
    * EXCLUDE (observed_at, origin),
    min(observed_at) AS observed_at,
    arg_min(origin, observed_at) AS origin
FROM (
    SELECT * FROM seen
    UNION ALL BY NAME
    SELECT
        lead_id,
        last_modified_at,
        local_day(last_modified_at) AS modified_date,
        status,
        closure,
        priority,
        coalesce(campaign_id, campaign_code) AS campaign_id,
        campaign_code,
        uploaded_at,
        first_processed_at,
        owner_org_code,
        uploaded_by,
        first_processed_by,
        last_modified_by,
        CASE WHEN may_identify(closure_data) THEN '"withheld"' ELSE nullif(closure_data, '[]') END AS closure_data,
        extra,
        $observed_at AS observed_at,
        -- two days: a version pulled later may have been one of several that are gone (trap T3)
        CASE WHEN last_modified_at >= $observed_at - INTERVAL 48 HOURS THEN 'observed' ELSE 'backfilled' END AS origin
    FROM pulled_leads
    WHERE last_modified_at >= $day_start AND last_modified_at < $day_end
)
GROUP BY ALL
