"""Poster landing, sign-up, activation."""
