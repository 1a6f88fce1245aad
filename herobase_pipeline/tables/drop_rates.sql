-- Dropped calls as a share of live calls, per campaign and window of each regime.
WITH
regimes AS (
    SELECT unnest($regimes, max_depth := 2)
),
days AS (
    SELECT
        date,
        campaign_id,
        sum(settled_dials) FILTER (end_cause = 'DroppedCall') AS dropped,
        sum(settled_dials) FILTER (end_cause = 'NormalDisconnect') AS contacts,
        sum(settled_dials) FILTER (end_cause = 'VoiceMail') AS voicemails,
        sum(dials) AS dials,
        bool_and(is_mature) AS is_mature
    FROM call_outcomes
    WHERE org_level = 0
    GROUP BY date, campaign_id
),
placed AS (
    SELECT
        *,
        min(date) FILTER (dials > 0) OVER (PARTITION BY campaign_id) AS first_day,
        CASE
            WHEN window_days IS NULL THEN date_trunc('month', date)::DATE
            ELSE first_day + ((date - first_day) // window_days * window_days)::INTEGER
        END AS window_start,
        (window_start + if(window_days IS NULL, INTERVAL 1 MONTH, to_days(window_days::INTEGER)))::DATE AS window_end
    FROM days, regimes
),
windows AS (
    SELECT
        name AS regime,
        campaign_id,
        window_start,
        window_end,
        limit_rate,
        coalesce(sum(dropped), 0) AS dropped,
        coalesce(sum(contacts), 0) AS contacts,
        coalesce(sum(voicemails), 0) AS voicemails,
        bool_and(is_mature) AS is_settled
    FROM placed
    WHERE date >= first_day
    GROUP BY ALL
    HAVING sum(dials) > 0
)
SELECT
    windows.*,
    dropped + contacts AS live,
    dropped + contacts + voicemails AS answered,
    if(live > 0, dropped / live, NULL) AS drop_rate_live_conservative,
    wilson(dropped, live, -1) AS conservative_ci_low,
    wilson(dropped, live, 1) AS conservative_ci_high,
    -- D' / (D' + L) with D' = D - D * A / (A + L), which is this; without an answer there is nothing to reason from
    if(contacts + voicemails > 0, dropped / answered, NULL) AS drop_rate_reasoned,
    if(contacts + voicemails > 0, wilson(dropped, answered, -1), NULL) AS reasoned_ci_low,
    if(contacts + voicemails > 0, wilson(dropped, answered, 1), NULL) AS reasoned_ci_high,
    coalesce(is_settled AND through >= window_end - 1, false) AS is_mature,
    $version AS metric_version
FROM windows
LEFT JOIN complete_days ON complete_days.day = window_start
