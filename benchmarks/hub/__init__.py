"""The product under measure: its own processes, on a journey and a system made for the measures."""
