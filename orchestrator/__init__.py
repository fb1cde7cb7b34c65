"""The process manager: what came in, what we do about it, each call we make."""
