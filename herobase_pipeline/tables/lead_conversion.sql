-- Closed leads by closure, per day of closing, org node of the credited call and campaign.
WITH nodes AS (
    SELECT *, list_transform(org_path, lambda code: lower(code)) AS folded, unnest(range(len(org_path) + 1)) AS org_level
    FROM leads
    WHERE closed_at IS NOT NULL
)
SELECT
    closed_date,
    org_level,
    arg_max(org_path[:org_level], closed_at) AS org_path,
    array_to_string(arg_max(org_path[:org_level], closed_at), ' › ') AS org_key,
    arg_max(org_path[org_level], closed_at) AS org_code,
    CASE WHEN org_level = 0 THEN '(all)' ELSE arg_max(org_names[org_level], closed_at) END AS org_name,
    campaign_id,
    closure,
    count(*) AS leads
FROM nodes
GROUP BY closed_date, org_level, folded[:org_level], campaign_id, closure
