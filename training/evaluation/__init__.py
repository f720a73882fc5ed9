"""What a report is made of: judged answers, and the pure functions that count them."""
