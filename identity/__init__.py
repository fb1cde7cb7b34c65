"""One citizen, many logins: rules and protocol clients, no SQL."""
