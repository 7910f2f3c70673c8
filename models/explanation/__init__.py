"""Where in an image a classifier finds its class, and whether such a map says what decides."""
