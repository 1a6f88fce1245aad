-- The registry, as it is declared.
SELECT unnest($metrics, max_depth := 2)
