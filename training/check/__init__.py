"""What a data set must hold up to before anything is trained on it; pure but for reading it."""
