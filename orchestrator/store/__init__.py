"""PostgreSQL: every SQL statement of the product."""
