"""What a journey is and how a run moves. No I/O of its own."""
