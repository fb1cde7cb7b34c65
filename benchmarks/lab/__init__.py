"""What the measures share: servers of their own on loopback, accounts of what was spent, figures."""
