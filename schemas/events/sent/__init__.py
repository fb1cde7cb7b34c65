"""The events the hub sends: thin, ids only where a person is concerned."""
