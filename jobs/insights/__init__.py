"""Gold for the business, day by day: what `momo insights` computes from silver and the reference tables."""
