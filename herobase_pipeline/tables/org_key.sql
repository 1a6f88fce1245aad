-- A path as one text, to group by: its codes joined by ' › '. A › within a code is doubled, so that two paths never have one key.
CREATE MACRO org_key(path) AS array_to_string(list_transform(path, lambda code: replace(code, '›', '››')), ' › ');
