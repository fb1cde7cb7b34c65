"""The Protocols through which services reach the world; store, runtime and broker implement them."""
