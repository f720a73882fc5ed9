"""What a drift costs: an adapter's evaluation rows, replayed against the live tools."""
