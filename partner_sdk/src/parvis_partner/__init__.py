"""The partner SDK (distribution parvis-partner); comes with the posters and SDK work."""
