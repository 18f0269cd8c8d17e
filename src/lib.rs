//! The filter: it translates between the proxy and `larder-core`, and decides nothing.
