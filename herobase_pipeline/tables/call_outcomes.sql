-- Calls by end cause, per day, org node and campaign.
-- Counted per full path first, then rolled up to every node above: leaf first is many times cheaper than call by call.
WITH
marked AS (
    SELECT
        *,
        NOT incoming AND coalesce(call_status <> 'Transferred', true) AS is_dial,  -- trap T17
        NOT incoming AND settled AS is_handled
    FROM calls
    WHERE date BETWEEN $first_day AND $last_day
),
leaves AS (
    SELECT
        date AS day,
        org_path,
        arg_max(org_names, (started_at, call_id)) AS org_names,
        max(started_at) AS latest,
        campaign_id,
        end_cause,
        count(*) AS calls,
        count(*) FILTER (connected) AS connected,
        total_s(dialing_s) AS dialing_s,
        total_s(conversation_s) AS conversation_s,
        total_s(wrap_up_s) AS wrap_up_s,
        count(*) FILTER (is_dial) AS dials,
        count(*) FILTER (is_dial AND settled) AS settled_dials,
        total_s(if(is_handled, dialing_s, NULL)) AS handled_dialing_s,
        total_s(if(is_handled, conversation_s, NULL)) AS handled_talk_s,
        total_s(if(is_handled, wrap_up_s, NULL)) AS handled_wrap_up_s,
        bool_and(settled) AS is_settled
    FROM marked
    GROUP BY date, org_path, campaign_id, end_cause
)
SELECT
    day AS date,
    org_level,
    org_path,
    org_key,
    org_code,
    org_name,
    campaign_id,
    end_cause,
    sum(calls) AS calls,
    sum(connected) AS connected,
    total_s(dialing_s) AS dialing_s,
    total_s(conversation_s) AS conversation_s,
    total_s(wrap_up_s) AS wrap_up_s,
    sum(dials) AS dials,
    sum(settled_dials) AS settled_dials,
    total_s(handled_dialing_s) AS handled_dialing_s,
    total_s(handled_talk_s) AS handled_talk_s,
    total_s(handled_wrap_up_s) AS handled_wrap_up_s,
    bool_and(is_settled) AND any_value(through IS NOT NULL) AS is_mature
FROM rolled_up('leaves')
LEFT JOIN complete_days USING (day)
GROUP BY ALL
