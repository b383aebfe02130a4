"""The toolkit that the HTTP adapters share."""
