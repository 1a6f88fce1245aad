-- Closed leads by closure, per day of closing, org node of the credited call and campaign.
WITH
nodes AS (
    SELECT
        *,
        unnest(range(len(org_path) + 1)) AS org_level,
        list_transform(org_path[:org_level], lambda code: lower(code)) AS node
    FROM leads
    WHERE closed_at IS NOT NULL
),
named AS (  -- one spelling and one name a node and day: the last ones used (traps T26, T30b)
    SELECT
        closed_date,
        node,
        arg_max({'path': org_path[:org_level], 'name': org_names[org_level]}, (closed_at, org_path, org_names)) AS last
    FROM nodes
    GROUP BY closed_date, node
)
SELECT
    closed_date,
    org_level,
    last.path AS org_path,
    array_to_string(last.path, ' › ') AS org_key,
    last.path[-1] AS org_code,
    CASE WHEN org_level = 0 THEN '(all)' ELSE last.name END AS org_name,
    campaign_id,
    closure,
    count(*) AS leads
FROM nodes
JOIN named USING (closed_date, node)
GROUP BY closed_date, org_level, last, campaign_id, closure
