-- Every lead once, with the fields of its latest version as HeroBase gave them, and the file of declared fields that is
-- for its campaign. More than one in ``declarations`` is an error that the caller reports.
WITH
latest AS (
    SELECT lead_id, max(last_modified_at) AS last_modified_at FROM lead_data GROUP BY lead_id
),
given AS (  -- of a version that was seen with different fields, the shortest: what was emptied stays so
    SELECT
        lead_id,
        last_modified_at,
        arg_min(
            {'data': data, 'custom_data': custom_data},
            (coalesce(length(data), 0) + coalesce(length(custom_data), 0), data, custom_data)
        ) AS fields
    FROM lead_data
    JOIN latest USING (lead_id, last_modified_at)
    GROUP BY lead_id, last_modified_at
),
named AS (
    SELECT
        lead_id,
        bool_or(status = 'Anonymized') AS erased,
        arg_max({'id': campaign_id, 'code': campaign_code}, (last_modified_at, observed_at)) AS campaign
    FROM simple_leads
    GROUP BY lead_id
),
projects AS (  -- a lead names its campaign by id or by code
    SELECT campaign, arg_max(project, observed_at) AS project
    FROM (
        SELECT campaign_id AS campaign, project, observed_at FROM campaigns
        UNION ALL
        SELECT campaign_code, project, observed_at FROM campaigns
    )
    GROUP BY campaign
),
files AS (
    SELECT unnest($declared::STRUCT(name VARCHAR, version BIGINT, campaigns VARCHAR, projects VARCHAR)[]) AS file
),
covered AS (
    SELECT seen.campaign AS campaign, list(file.name ORDER BY file.name) AS declarations, min(file.version) AS version
    FROM (SELECT DISTINCT campaign FROM named) AS seen
    LEFT JOIN projects ON projects.campaign = seen.campaign.id
    JOIN files ON regexp_full_match(nfc_normalize(trim(seen.campaign.code)), nullif(file.campaigns, ''), 'i')
        OR regexp_full_match(nfc_normalize(trim(seen.campaign.id)), nullif(file.campaigns, ''), 'i')
        OR regexp_full_match(nfc_normalize(trim(project)), nullif(file.projects, ''), 'i')
    GROUP BY seen.campaign
)
SELECT
    lead_id,
    last_modified_at,
    declarations[1] AS declaration,
    version AS declaration_version,
    declarations,
    coalesce(nullif(trim(named.campaign.code), ''), named.campaign.id) AS campaign,
    CASE WHEN NOT coalesce(erased, false) THEN object(fields.data) END AS data,
    CASE WHEN NOT coalesce(erased, false) THEN object(fields.custom_data) END AS custom_data,
    NOT coalesce(erased, false) AND (
        fields.data IS NOT NULL AND object(fields.data) IS NULL
        OR fields.custom_data IS NOT NULL AND object(fields.custom_data) IS NULL
    ) AS is_unreadable
FROM given
LEFT JOIN named USING (lead_id)
LEFT JOIN covered ON covered.campaign = named.campaign
