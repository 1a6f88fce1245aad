-- The estimate of Wilson (1927) of where a share of k in n may lie, at 95 %: never outside 0..1, sane at 0 and at n.
-- (CASE, as a catalogue with if() is one that DuckDB 1.x cannot read; e0 makes a DOUBLE, as its decimals do not hold a count.)
CREATE MACRO wilson(k, n, sign) AS CASE WHEN n > 0 AND k BETWEEN 0 AND n THEN abs(round(
    (k + 1.920729410347062e0 + sign * 1.959963984540054e0 * sqrt(k::DOUBLE * (n - k) / n + 0.960364705173531e0)) / (n + 3.841458820694124e0),
12)) END;
