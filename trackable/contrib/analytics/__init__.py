"""Analytics: page views and events, sent on to services by the server."""
