-- Calls by end cause, per day, org node and campaign.
-- Counted per full path first, then rolled up to every node above: leaf first is many times cheaper than call by call.
WITH
leaves AS (
    SELECT
        date,
        org_path,
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
    SELECT
        *,
        unnest(range(len(org_path) + 1)) AS org_level,
        -- codes are one unit whatever their case (trap T30b)
        list_transform(org_path[:org_level], lambda code: lower(code)) AS node
    FROM leaves
),
named AS (  -- one spelling and one name a node and day: the last ones used (trap T26)
    SELECT
        date,
        node,
        arg_max({'path': org_path[:org_level], 'name': org_names[org_level]}, (latest, org_path, org_names)) AS last
    FROM nodes
    GROUP BY date, node
)
SELECT
    date,
    org_level,
    last.path AS org_path,
    array_to_string(last.path, ' › ') AS org_key,
    last.path[-1] AS org_code,
    CASE WHEN org_level = 0 THEN '(all)' ELSE last.name END AS org_name,
    campaign_id,
    end_cause,
    sum(calls) AS calls,
    sum(connected) AS connected,
    sum(dialing_s) AS dialing_s,
    sum(conversation_s) AS conversation_s,
    sum(wrap_up_s) AS wrap_up_s
FROM nodes
JOIN named USING (date, node)
GROUP BY date, org_level, last, campaign_id, end_cause
