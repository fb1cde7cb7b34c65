"""The canonical data model: messages, commands, receipts, errors, clock, ids. Imports nothing of ours."""
