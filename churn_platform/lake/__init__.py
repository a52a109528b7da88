"""From files in `landing/` to committed Parquet fragments in `lake/events/`, with every row accounted for."""
