"""What ``import herobase_pipeline as hb`` gives: the lake in frames, rates, incidence and charts. Reads files only."""
