-- Calls by end cause, per day, org node and campaign.
-- Counted per full path first, then rolled up to every node above: leaf first is many times cheaper than call by call.
WITH
leaves AS (
    SELECT
        date,
        org_path,
        -- codes are one unit whatever their case (trap T30b); the name is the last one of the day (trap T26)
        list_transform(org_path, lambda code: lower(code)) AS folded,
        arg_max(org_names, started_at) AS org_names,
        max(started_at) AS latest,
        campaign_id,
        end_cause,
        count(*) AS calls,
        count(*) FILTER (connected) AS connected,
        sum(dialing_s) AS dialing_s,
        sum(conversation_s) AS conversation_s,
        sum(wrap_up_s) AS wrap_up_s
    FROM calls
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY date, org_path, campaign_id, end_cause
),
nodes AS (
    SELECT *, unnest(range(len(org_path) + 1)) AS org_level FROM leaves
)
SELECT
    date,
    org_level,
    arg_max(org_path[:org_level], latest) AS org_path,
    array_to_string(arg_max(org_path[:org_level], latest), ' › ') AS org_key,
    arg_max(org_path[org_level], latest) AS org_code,
    CASE WHEN org_level = 0 THEN '(all)' ELSE arg_max(org_names[org_level], latest) END AS org_name,
    campaign_id,
    end_cause,
    sum(calls) AS calls,
    sum(connected) AS connected,
    sum(dialing_s) AS dialing_s,
    sum(conversation_s) AS conversation_s,
    sum(wrap_up_s) AS wrap_up_s
FROM nodes
GROUP BY date, org_level, folded[:org_level], campaign_id, end_cause
